/** What a card can do for a profile, as values that programs choose by and people are shown. */

/** How sure an answer is; "unknown": only trying it tells, and trying changes the card. */
export type Sure = "yes" | "no" | "unknown";

/** How a holder's identity can be bound to the card. */
export type IdentityWay =
  /** An X25519 key of the card itself does the handshake's Diffie-Hellman. */
  | "on-card"
  /** The private key lies in the profile, which only a key of the card opens. */
  | "sealed";

/** Where a sealed profile can lie. */
export type CarrierWay =
  /** In data objects of the card. */
  | "card"
  /** Its file key alone on the card, in a private object; the rest elsewhere. */
  | "card-key-only"
  /** In the gateway's folder of sealed profiles, which holds ciphertext only. */
  | "folder"
  /** In a hub's store, which holds ciphertext only. */
  | "hub"
  /** On a USB stick that stands in the card's place, under a password. */
  | "stick";

/** Why a way is open or closed; each has its words in `words.ts`. */
export type CapabilityReason =
  | { readonly key: "x25519-listed" }
  | { readonly key: "x25519-not-listed" }
  | { readonly key: "x25519-firmware"; readonly version: string }
  | { readonly key: "x25519-old-firmware"; readonly version: string }
  | { readonly key: "x25519-key-there"; readonly slot: string }
  | { readonly key: "x25519-untold" }
  | { readonly key: "p256-listed" }
  | { readonly key: "p256-not-listed" }
  | { readonly key: "p256-firmware"; readonly version: string }
  | { readonly key: "p256-untold" }
  | { readonly key: "objects-in-use" }
  | { readonly key: "objects-written" }
  | { readonly key: "objects-firmware"; readonly version: string }
  | { readonly key: "objects-refused"; readonly status: string }
  | { readonly key: "objects-too-small"; readonly bytes: number }
  | { readonly key: "objects-untried" }
  | { readonly key: "openpgp-key-there" }
  | { readonly key: "openpgp-key-settable" }
  | { readonly key: "openpgp-key-fixed" }
  | { readonly key: "openpgp-needs-piv" }
  | { readonly key: "openpgp-object"; readonly bytes: number }
  | { readonly key: "openpgp-no-object" }
  | { readonly key: "folder-any-card" }
  | { readonly key: "hub-any-card" }
  | { readonly key: "stick-instead" };

/** One way, whether it is open, and why. */
export interface Way<Name extends string> {
  readonly way: Name;
  readonly open: Sure;
  readonly reason: CapabilityReason;
}

/** Everything about one card; the ways stand in the order of preference. */
export interface CardCapabilities {
  readonly application: "piv" | "openpgp";
  readonly identities: readonly Way<IdentityWay>[];
  readonly carriers: readonly Way<CarrierWay>[];
}

/** What was found out about a PIV card. */
export interface PivFacts {
  readonly application: "piv";
  /** Firmware as "5.7.1", where the card has Yubico's commands. */
  readonly version: string | undefined;
  /** Algorithm bytes that the card lists, if it lists any. */
  readonly algorithms: readonly number[] | undefined;
  /** A slot that holds an X25519 key. */
  readonly x25519Slot: number | undefined;
  /** Whether a profile's objects are there now. */
  readonly hasProfile: boolean;
  /** What trying to write showed, where it was tried. */
  readonly trial: ObjectTrial | undefined;
}

/** How writing one of our objects ended. */
export type ObjectTrial =
  | { readonly trial: "written" }
  | { readonly trial: "refused"; readonly sw: number }
  /** The card took it and gave back fewer or other bytes. */
  | { readonly trial: "lost" }
  /** It took `bytes` but not a whole chunk. */
  | { readonly trial: "too-small"; readonly bytes: number };

/** What was found out about an OpenPGP card. */
export interface OpenPgpFacts {
  readonly application: "openpgp";
  readonly hasX25519: boolean;
  readonly algorithmsChangeable: boolean;
  readonly privateObjects: boolean;
  readonly longestPrivateObject: number;
}
