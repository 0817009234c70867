/** WireGuard keys that a test makes itself, so that it knows what to look for. */
import { x25519 } from "@noble/curves/ed25519.js";

export interface WireGuardKeys {
  readonly privateKey: Uint8Array;
  /** Base64, as `wg` takes them. */
  readonly private: string;
  readonly public: string;
}

export function makeKeys(): WireGuardKeys {
  const privateKey = crypto.getRandomValues(new Uint8Array(32));
  // RFC 7748 section 5: the form in which `wg genkey` gives them.
  privateKey[0] = (privateKey[0] ?? 0) & 248;
  privateKey[31] = ((privateKey[31] ?? 0) & 127) | 64;
  return {
    privateKey,
    private: privateKey.toBase64(),
    public: x25519.getPublicKey(privateKey).toBase64(),
  };
}

export function makePresharedKey(): { bytes: Uint8Array; text: string } {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return { bytes, text: bytes.toBase64() };
}
