/** Randomness in, a new OpenPGP application out. @core */
import { DEFAULT_TRIES } from "../limits.ts";
import type { CardCrypto, KdfCost } from "../crypto.ts";
import { vaultOf, wrapMasterKey } from "../vault.ts";
import { ED25519_ATTRIBUTES, X25519_ATTRIBUTES } from "./algorithms.ts";
import type { KeyPlace, OpenPgpState, Password } from "./state.ts";

/** Passwords of a new application: specification, section 4.2. */
const DEFAULT_PW1 = "123456";
const DEFAULT_PW3 = "12345678";

/** An empty OpenPGP application with a new vault. */
export function factoryOpenPgp(options: { crypto: CardCrypto; cost: KdfCost }): OpenPgpState {
  const { crypto, cost } = options;
  const masterKey = crypto.randomBytes(32);
  const password = (text: string): Password => {
    const secret = new TextEncoder().encode(text);
    const wrapping = { crypto, secret, tries: DEFAULT_TRIES, isDefault: true, cost };
    return { reference: wrapMasterKey(masterKey, wrapping), length: secret.length };
  };
  const state: OpenPgpState = {
    isTerminated: false,
    pw1: password(DEFAULT_PW1),
    pw3: password(DEFAULT_PW3),
    vault: vaultOf(masterKey),
    isPw1Lasting: false,
    signatures: 0,
    keys: {
      signature: emptyPlace(ED25519_ATTRIBUTES),
      decipher: emptyPlace(X25519_ATTRIBUTES),
      authentication: emptyPlace(ED25519_ATTRIBUTES),
    },
    objects: new Map(),
  };
  masterKey.fill(0);
  return state;
}

function emptyPlace(attributes: Uint8Array): KeyPlace {
  return {
    attributes,
    fingerprint: new Uint8Array(20),
    caFingerprint: new Uint8Array(20),
    time: new Uint8Array(4),
  };
}
