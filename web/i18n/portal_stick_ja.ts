import type { StickMessages } from "./portal_messages.ts";
import { portalPasskeyJa } from "./portal_passkey_ja.ts";

/** What terminals read in place of a card's words where the token is a stick, in Japanese. */
export const portalStickJa: StickMessages = {
  noCard: {
    title: "USB メモリーを挿入してください",
    text: "接続するには、ゲートウェイの USB ポートに USB メモリーを挿入してください。",
  },
  reading: {
    title: "USB メモリーを読み取っています",
    text: "しばらくお待ちください。USB メモリーを抜かないでください。",
  },
  expired: (date) => ({
    title: "USB メモリーの有効期限が切れています",
    text: `有効期限は ${date} まででした。発行者に更新を依頼してください。`,
  }),
  pinAsked: {
    title: "パスワードを入力してください",
    text: (holder) => `${holder} さんの USB メモリーです。`,
    tries: (left) => `残り ${left} 回入力できます。`,
    wrong: (left) => `パスワードが違います。残り ${left} 回です。`,
    lastTry: "もう一度間違えると、次に入力できるまで少しお待ちいただきます。",
  },
  withId: {
    title: "ユーザー ID とパスワードを入力してください",
    text: "この USB メモリーは、所有者のユーザー ID とパスワードの両方で開きます。",
    wrong: "ユーザー ID またはパスワードが違います。両方をもう一度入力してください。",
    label: "ユーザー ID",
    touch: "15秒以内に、キーのボタンまたは金属部分に触れてください。",
  },
  unlocking: {
    title: "ロックを解除しています",
    text: "認証中です。しばらくお待ちください。USB メモリーを抜かないでください。",
  },
  blocked: {
    title: "USB メモリーがロックされています",
    text: "パスワードを続けて間違えました。USB メモリーを抜き、発行者にお持ちください。",
  },
  refused: {
    title: "この USB メモリーは使用できません",
    fault: {
      "none-on-card": "USB メモリーにプロファイルがありません。発行者に再発行を依頼してください。",
      "damaged": "USB メモリーの内容が壊れています。発行者に再発行を依頼してください。",
      "forged": "USB メモリーは、このゲートウェイが信頼する発行者の署名ではありません。" +
        "USB メモリーをセキュリティ担当者に渡してください。",
      "other-card": "USB メモリーのプロファイルは別のもの用に作られています。" +
        "USB メモリーをセキュリティ担当者に渡してください。",
      "older-generation": "USB メモリーのプロファイルは新しいものに置き換えられています。" +
        "新しい USB メモリーを使うか、更新を依頼してください。",
      "newer-version":
        "この USB メモリーには、より新しいゲートウェイが必要です。更新を依頼してください。",
      "revoked": "USB メモリーのプロファイルは発行者によって失効されています。" +
        "新しいものを依頼してください。",
      "hub-unknown": "ハブにこの USB メモリーのプロファイルの半分がありません。" +
        "発行者に、ハブへの登録を依頼してください。",
      "hub-expired":
        "ハブの時計では、プロファイルの有効期限が切れています。更新を依頼してください。",
      "hub-refused": "ハブがこの USB メモリーの証明を受け付けませんでした。" +
        "USB メモリーをセキュリティ担当者に渡してください。",
      "unreadable-card": "USB メモリーを読み取れません。一度抜き、挿入し直してください。",
      "unknown-kind": "このゲートウェイが対応していない種類の USB メモリーです。" +
        "抜いて、ご自分のものを挿入してください。",
    },
  },
  up: {
    title: "接続しました",
    text: (holder) => `${holder} さんの USB メモリーで接続しています。`,
    until: (date) => `USB メモリーの有効期限は ${date} です。`,
    logOff: "ログオフするには、USB メモリーを抜いてください。",
  },
  failed: {
    title: "接続できませんでした",
    text: "ゲートウェイが接続できませんでした。USB メモリーを抜き、挿入し直してください。",
    reason: (reason) => `理由: ${reason}`,
  },
  form: {
    label: "パスワード",
    submit: "ロックを解除",
    sending: "お待ちください…",
    privacy: "パスワードはこのページで暗号化されます。" +
      "読めるのは USB メモリーを扱うプロセスだけです。",
    needsScript: "パスワードを入力するには JavaScript を許可してください。" +
      "このページは自動で再読み込みされます。",
  },
  outcome: {
    busy: "別のパスワードを確認しています。しばらくお待ちください。",
    notTried: "パスワードは確認されませんでした。その間に別の端末が間違え、" +
      "残りが 1 回になりました。もう一度入力してください。",
    givenUp: "待つのをやめました。パスワードは確認されていません。",
    notAsked: "現在、パスワードの入力は求められていません。",
    stale: "その間に USB メモリーが替わりました。もう一度パスワードを入力してください。",
    cardGone: "USB メモリーが抜かれました。もう一度挿入してください。",
    unreachable: "ゲートウェイが応答しません。この端末の接続を確かめて、やり直してください。",
    tooLong: "パスワードは 64 文字までです。",
  },
  passkey: {
    ...portalPasskeyJa,
    addText: "上にパスワードを入力してください。続いて、端末またはセキュリティキーが指紋、顔、" +
      "または画面ロックを確認します。以後、このゲートウェイではパスワードの代わりに使えます。" +
      "USB メモリーは引き続きゲートウェイに挿入しておく必要があります。",
  },
};
