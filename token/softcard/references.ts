/** PINs of every application on the card: tries in, master keys or status words out. @core */
import { SW } from "../apdu/status.ts";
import type { CardCrypto } from "./crypto.ts";
import type { CardScript } from "./memory.ts";
import type { Reference } from "./reference.ts";
import { unwrapMasterKey, wrapMasterKey } from "./vault.ts";

/**
 * Tries a PIN or PUK. The try is taken away, and durably, before the PIN is looked at, so that no
 * power cut gives one back; a right PIN restores them all. `keep` saves the changed reference where
 * it belongs. Returns the master key or a status word.
 */
export function* spendTry(
  reference: Reference,
  attempt: {
    crypto: CardCrypto;
    secret: Uint8Array;
    keep(changed: Reference): CardScript<boolean>;
  },
): CardScript<Uint8Array | number> {
  const { crypto, secret, keep } = attempt;
  if (reference.triesLeft === 0) return SW.AUTH_METHOD_BLOCKED;
  const spent: Reference = { ...reference, triesLeft: reference.triesLeft - 1 };
  if (!(yield* keep(spent))) return SW.MEMORY_FAILURE;
  const masterKey = unwrapMasterKey(reference, { crypto, secret });
  if (masterKey === undefined) return wrongReference(spent.triesLeft);
  if (yield* keep({ ...reference, triesLeft: reference.tries })) return masterKey;
  masterKey.fill(0);
  return SW.MEMORY_FAILURE;
}

/** The same reference under another secret, with all its tries. */
export function renewReference(
  old: Reference,
  change: { crypto: CardCrypto; secret: Uint8Array; masterKey: Uint8Array },
): Reference {
  const { crypto, secret, masterKey } = change;
  const { tries, cost } = old;
  return wrapMasterKey(masterKey, { crypto, secret, tries, isDefault: false, cost });
}

/** What a wrong PIN is answered, and a question about one that isn't verified. */
export function wrongReference(triesLeft: number): number {
  return triesLeft === 0 ? SW.AUTH_METHOD_BLOCKED : SW.TRIES_LEFT | Math.min(triesLeft, 15);
}
