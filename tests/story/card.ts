/** A card of the story, with all that whoever issued it knows. */
export interface Card {
  /** The software card's state file. */
  readonly state: string;
  readonly holder: string;
  readonly pin: string;
  /** WireGuard public key, base64. */
  readonly publicKey: string;
  /** Undefined when nobody but the card knows it. */
  readonly privateKey?: Uint8Array;
  readonly presharedKey?: Uint8Array;
  /** The key of the sealed container, 16 bytes. */
  readonly fileKey: Uint8Array;
  /** Its own addresses in the tunnel, with prefix lengths. */
  readonly addresses: readonly string[];
}
