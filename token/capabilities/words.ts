/** Words for what a card can do, in the two languages that people are spoken to. @core */
import type { CapabilityReason, CardCapabilities, CarrierWay, IdentityWay, Sure } from "./types.ts";

/** English and Japanese. */
export type CapabilityLanguage = "en" | "ja";

/** Every word; `{name}` stands for a reason's own field of that name. */
export interface CapabilityWords {
  readonly identities: Readonly<Record<IdentityWay, string>>;
  readonly carriers: Readonly<Record<CarrierWay, string>>;
  readonly open: Readonly<Record<Sure, string>>;
  readonly reasons: Readonly<Record<CapabilityReason["key"], string>>;
}

/** One line of a card's description: what, whether, why. */
export interface CapabilityLine {
  readonly what: string;
  readonly open: string;
  readonly why: string;
}

/** The sentence for a reason. */
export function reasonText(reason: CapabilityReason, language: CapabilityLanguage): string {
  const fields: Readonly<Record<string, string | number>> = reason;
  return CAPABILITY_WORDS[language].reasons[reason.key]
    .replaceAll(/\{(\w+)\}/g, (_, name: string) => String(fields[name]));
}

/** A whole description, the identities' ways first. */
export function describeCapabilities(
  { identities, carriers }: CardCapabilities,
  language: CapabilityLanguage,
): CapabilityLine[] {
  const words = CAPABILITY_WORDS[language];
  const line = (what: string, { open, reason }: { open: Sure; reason: CapabilityReason }) => ({
    what,
    open: words.open[open],
    why: reasonText(reason, language),
  });
  return [
    ...identities.map((one) => line(words.identities[one.way], one)),
    ...carriers.map((one) => line(words.carriers[one.way], one)),
  ];
}

/** The words by language. */
export const CAPABILITY_WORDS: Readonly<Record<CapabilityLanguage, CapabilityWords>> = {
  en: {
    identities: {
      "on-card": "A key that never leaves the card",
      sealed: "A key in the profile, opened by the card",
    },
    carriers: {
      card: "Profile on the card",
      "card-key-only": "Profile's key on the card, the rest elsewhere",
      folder: "Profile at the gateway, encrypted",
      hub: "Profile at the hub, encrypted",
      stick: "A USB stick in the card's place",
    },
    open: { yes: "yes", no: "no", unknown: "perhaps" },
    reasons: {
      "x25519-listed": "The card lists X25519 among its algorithms.",
      "x25519-not-listed": "The card lists its algorithms, and X25519 is not among them.",
      "x25519-firmware": "Firmware {version} has X25519.",
      "x25519-old-firmware": "Firmware {version} has no X25519; 5.7 and later have it.",
      "x25519-key-there": "Slot {slot} holds an X25519 key.",
      "x25519-untold": "The card does not say whether it has X25519; making a key would tell.",
      "p256-listed": "The card lists P-256 among its algorithms.",
      "p256-not-listed": "The card lists its algorithms, and P-256 is not among them.",
      "p256-firmware": "Firmware {version} has P-256.",
      "p256-untold": "Most PIV cards have P-256; this one does not say. Making a key would tell.",
      "objects-in-use": "A profile is on the card now.",
      "objects-written": "The card took a data object of ours and gave it back.",
      "objects-firmware": "Firmware {version} takes data objects of any kind.",
      "objects-refused": "The card takes only data objects of the standard (it answered {status}).",
      "objects-too-small": "The card keeps {bytes} bytes in an object; a profile needs 3,000.",
      "objects-untried": "Only writing with the management key would tell.",
      "openpgp-key-there": "The card's decryption key is an X25519 key.",
      "openpgp-key-settable": "The card can make an X25519 decryption key.",
      "openpgp-key-fixed": "The card's decryption key is of another kind and can't be changed.",
      "openpgp-needs-piv": "The handshake on the card needs a PIV application.",
      "openpgp-object": "A private object of the card holds {bytes} bytes.",
      "openpgp-no-object": "The card has no private objects, or too small ones.",
      "folder-any-card": "Gateways keep sealed profiles for any card in a folder.",
      "hub-any-card": "A hub keeps sealed profiles for any card and gives them to its gateways.",
      "stick-instead": "A stick carries a profile of its own under a password.",
    },
  },
  ja: {
    identities: {
      "on-card": "カードから出ない鍵",
      sealed: "プロファイル内の鍵（カードで開く）",
    },
    carriers: {
      card: "カード上のプロファイル",
      "card-key-only": "鍵だけカード上、残りは別の場所",
      folder: "ゲートウェイ上のプロファイル（暗号化）",
      hub: "ハブ上のプロファイル（暗号化）",
      stick: "カードの代わりのUSBメモリー",
    },
    open: { yes: "可", no: "不可", unknown: "不明" },
    reasons: {
      "x25519-listed": "カードが示す方式の一覧にX25519があります。",
      "x25519-not-listed": "カードが示す方式の一覧にX25519がありません。",
      "x25519-firmware": "ファームウェア{version}はX25519に対応しています。",
      "x25519-old-firmware": "ファームウェア{version}はX25519に対応していません（5.7以降で対応）。",
      "x25519-key-there": "スロット{slot}にX25519の鍵があります。",
      "x25519-untold": "カードはX25519の有無を示しません。鍵を作れば分かります。",
      "p256-listed": "カードが示す方式の一覧にP-256があります。",
      "p256-not-listed": "カードが示す方式の一覧にP-256がありません。",
      "p256-firmware": "ファームウェア{version}はP-256に対応しています。",
      "p256-untold":
        "多くのPIVカードはP-256に対応していますが、このカードは示しません。鍵を作れば分かります。",
      "objects-in-use": "カードにプロファイルがあります。",
      "objects-written": "本製品のデータを書き込み、読み戻せました。",
      "objects-firmware": "ファームウェア{version}は任意のデータを保存できます。",
      "objects-refused": "カードは規格のデータしか保存できません（応答{status}）。",
      "objects-too-small":
        "カードに保存できるのは{bytes}バイトまでです。プロファイルには3,000バイト必要です。",
      "objects-untried": "管理鍵で書き込んでみるまで分かりません。",
      "openpgp-key-there": "カードの復号鍵はX25519です。",
      "openpgp-key-settable": "カードでX25519の復号鍵を作れます。",
      "openpgp-key-fixed": "カードの復号鍵は別の方式で、変更できません。",
      "openpgp-needs-piv": "カード上でのハンドシェイクにはPIVアプリケーションが必要です。",
      "openpgp-object": "カードの私用領域は{bytes}バイトです。",
      "openpgp-no-object": "カードに私用領域がないか、小さすぎます。",
      "folder-any-card":
        "ゲートウェイのフォルダーは、どのカードの暗号化プロファイルも保管できます。",
      "hub-any-card": "ハブはどのカードの暗号化プロファイルも保管し、ゲートウェイに渡します。",
      "stick-instead": "USBメモリーは、パスワードで守られた独自のプロファイルを運びます。",
    },
  },
};
