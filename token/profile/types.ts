/** What crosses between reading a card, checking its head and opening what is sealed. */
import type { SecretMemory } from "../../os/secret_memory.ts";
import type { ProfileFault } from "./fault.ts";
import type { Profile } from "./profile.ts";

/** An issuer's Ed25519 public key: 32 bytes in base64url without padding (43 characters). */
export type IssuerKey = string & { readonly __issuerKey: unique symbol };

/** What a card says about its profile before any PIN, once the signature is found good. */
export interface ProfileHead {
  readonly profileId: string;
  readonly cardId: string;
  /** The holder's name as it is to be shown. */
  readonly holder: string;
  /** Unix seconds. */
  readonly expiresAt: number;
  readonly generation: number;
  /** The user's id is to be typed with the PIN; the id itself is sealed. */
  readonly asksUserId?: true;
  /** SHA-256 of the sealed plaintext, 32 bytes. */
  readonly inner: Uint8Array;
  /** The card's key that opens the container; absent when no card key does. */
  readonly sealedTo?: CardKey;
  /** Where the other half of the file key lies; absent when the card's half is all of it. */
  readonly split?: SplitHead;
  /** The issuer whose signature holds. */
  readonly issuer: IssuerKey;
}

/** A P-256 key on a card. */
export interface CardKey {
  /** Key reference: 9D, or 82 to 95. */
  readonly slot: number;
  /** Compressed point, 33 bytes. */
  readonly publicKey: Uint8Array;
}

/** How to get at the hub's half of a split profile. */
export interface SplitHead {
  /** Names the share at the hub: 16 bytes, new with each sealing. */
  readonly id: Uint8Array;
  /** "host:port" (TCP). */
  readonly hub: string;
  /** The hub's X25519 public key, 32 bytes: requests are sealed to it. */
  readonly hubKey: Uint8Array;
  /** The card's P-256 key that signs the hub's challenge. */
  readonly proofSlot: number;
}

/** What a head is checked against. */
export interface HeadContext {
  readonly issuerKeys: readonly IssuerKey[];
  /** The id of the card that the head was read from. */
  readonly cardId: string;
  /** Unix seconds. */
  readonly now: number;
  /** The highest generation of this card's profiles seen so far, 0 for none. */
  readonly highestGeneration: number;
  /** Whether its issuer has taken the profile back; absent: nothing is known of that. */
  readonly isRevoked?: (head: ProfileHead) => boolean;
}

/** The verdict on a head. */
export type HeadCheck =
  | { readonly result: "ok"; readonly head: ProfileHead }
  | { readonly result: "expired"; readonly head: ProfileHead }
  | { readonly result: "fault"; readonly fault: ProfileFault };

/** Where a head lies on a card, and what it says of the sealed bytes beside it. Not yet trusted. */
export interface CarriedHead {
  readonly bank: 0 | 1;
  readonly sequence: number;
  readonly chunks: number;
  readonly sealedLength: number;
  /** SHA-256 of the sealed bytes, 32 bytes: finds torn writes, proves nothing. */
  readonly sealedDigest: Uint8Array;
  /** The signed head itself (compact JWS in ASCII), for `checkHead`. */
  readonly head: Uint8Array;
}

/** What `readHead` found. */
export type HeadRead =
  | { readonly result: "ok"; readonly carried: CarriedHead }
  | {
    readonly result: "fault";
    readonly fault: Extract<ProfileFault, "none-on-card" | "damaged" | "newer-version">;
  };

/** 32 secret bytes in native memory. */
export interface SecretKey {
  readonly address: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** One way to open a container: unwraps the file key (16 bytes) from a stanza that is its own. */
export interface FileKeyIdentity {
  unwrapFileKey(stanzas: Stanza[]): Promise<Uint8Array | null>;
}

/** A recipient line of an age file (age-encryption.org/v1, section "recipient stanza"). */
export interface Stanza {
  readonly args: string[];
  readonly body: Uint8Array;
}

/** What `openProfile` needs. */
export interface OpenOptions {
  readonly sealed: Uint8Array;
  /** The checked head of the card that the profile was read from. */
  readonly head: ProfileHead;
  readonly identity: FileKeyIdentity;
  /** Keys are placed here; 64 bytes are enough. */
  readonly secrets: SecretMemory;
  readonly issuerKeys: readonly IssuerKey[];
  /** Sees the file key before it is wiped; for proofs of erasure. */
  readonly onFileKey?: (fileKey: Uint8Array) => void;
}

/** What `openProfile` gives. Errors of the card itself are thrown, as its channel throws them. */
export type Opened =
  | {
    readonly result: "ok";
    readonly profile: Profile;
    /** Absent when the identity is on the card. */
    readonly privateKey?: SecretKey;
    readonly presharedKey?: SecretKey;
  }
  | { readonly result: "fault"; readonly fault: ProfileFault };
