import type { PasskeyMessages } from "./portal_messages.ts";

/** What terminals read about passkeys beside a card and beside a stick, in Japanese. */
export const portalPasskeyJa: PasskeyMessages = {
  use: "パスキーを使う",
  elsewhere: (name) => `パスキーを使う（${name} で）`,
  add: "パスキーを追加する",
  name: "パスキーの名前",
  usualName: "マイパスキー",
  addSubmit: "解除して追加",
  asking: "端末またはセキュリティキーの確認に応じてください。",
  added: "パスキーを追加しました。次回から使えます。",
  notAdded: "パスキーは追加されませんでした。ゲートウェイの管理者に連絡してください。" +
    "端末に残ったパスキーは削除してかまいません。",
  wrong: (left) => `このパスキーではこのプロファイルを開けません。残り ${left} 回です。`,
  none: {
    "cancelled": () => "パスキーは使われませんでした。",
    "no-prf": () =>
      "このパスキーは PRF 拡張に対応していないため、ロックを解除できません。" +
      "別のパスキーを使ってください。",
    "refused": (detail) => `ブラウザーが拒否しました: ${detail}`,
  },
};
