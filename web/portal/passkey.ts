/** Runs in browsers: asks a passkey for what opens the profile. */
import { PRF_BYTES, prfInputs } from "../../token/profile/prf_inputs.ts";
import { fromBase64url } from "../shared/base64url.ts";
import type { PortalState } from "./state.ts";

/** Why a passkey gave nothing. */
export class NoPasskey extends Error {
  /** "no-prf": it is one, and can't answer such questions. */
  constructor(readonly why: "cancelled" | "no-prf" | "refused", detail = "") {
    super(detail);
  }
}

/** Where passkeys are asked: the engine, and what it offers. */
export type PasskeyTarget = NonNullable<PortalState["target"]>;

/** Signatures and keys are of no use here, so any kind will do. */
const KEY_KINDS = [-8, -7, -257].map((alg) => ({ type: "public-key", alg }) as const);

/** Whether this browser knows passkeys, and the page was reached in a way that they trust. */
export function knowsPasskeys(): boolean {
  return isSecureContext && typeof PublicKeyCredential !== "undefined";
}

/**
 * Asks a passkey of this site for both results, 64 bytes, which the caller wipes.
 * @param options.only The one to be asked, by its id; left out: the person chooses.
 * @throws {NoPasskey}
 */
export async function askPasskey(
  target: PasskeyTarget,
  { signal, only }: { signal: AbortSignal; only?: ArrayBuffer },
): Promise<Uint8Array> {
  const { name, inputs, challenge } = question(target);
  const answer = await told(() =>
    navigator.credentials.get({
      signal,
      publicKey: {
        rpId: name,
        challenge,
        allowCredentials: only === undefined ? [] : [{ type: "public-key", id: only }],
        userVerification: "required",
        extensions: { prf: { eval: inputs } },
      },
    })
  );
  const results = resultsOf(answer);
  if (results === undefined) throw new NoPasskey("no-prf");
  return results;
}

/**
 * Makes a passkey for this site on this device, or on a security key, and asks it.
 * @throws {NoPasskey}
 */
export async function makePasskey(
  target: PasskeyTarget,
  { signal, gateway, holder, called }: {
    signal: AbortSignal;
    gateway: string;
    holder: string;
    called: string;
  },
): Promise<Uint8Array> {
  const { name, inputs, challenge } = question(target);
  const made = await told(() =>
    navigator.credentials.create({
      signal,
      publicKey: {
        rp: { id: name, name: gateway },
        // A new one never takes the place of another.
        user: {
          id: crypto.getRandomValues(new Uint8Array(16)),
          name: holder,
          displayName: `${holder} (${called})`,
        },
        challenge,
        pubKeyCredParams: [...KEY_KINDS],
        authenticatorSelection: {
          residentKey: "required",
          requireResidentKey: true,
          userVerification: "required",
        },
        extensions: { prf: { eval: inputs } },
      },
    })
  );
  const { prf } = made.getClientExtensionResults();
  if (prf?.enabled !== true) throw new NoPasskey("no-prf");
  // Most authenticators answer only once they are asked again.
  return resultsOf(made) ?? await askPasskey(target, { signal, only: made.rawId });
}

/** The challenge is the engine's key: new with each. Nobody checks a signature: only the results count. */
function question({ publicKey, passkey }: PasskeyTarget) {
  const nonce = passkey && fromBase64url(passkey.nonce);
  const challenge = fromBase64url(publicKey);
  if (passkey === undefined || nonce === undefined || challenge === undefined) {
    throw new NoPasskey("refused", "no passkey is asked for");
  }
  return { name: passkey.name, inputs: prfInputs(nonce), challenge };
}

function resultsOf(answer: PublicKeyCredential): Uint8Array | undefined {
  const { first, second } = answer.getClientExtensionResults().prf?.results ?? {};
  if (first === undefined || second === undefined) return undefined;
  const both = new Uint8Array(PRF_BYTES);
  const [one, two] = [bytesOf(first), bytesOf(second)];
  if (one.length + two.length !== PRF_BYTES) return undefined;
  both.set(one);
  both.set(two, one.length);
  one.fill(0);
  two.fill(0);
  return both;
}

function bytesOf(source: BufferSource): Uint8Array {
  return source instanceof ArrayBuffer
    ? new Uint8Array(source)
    : new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
}

async function told(work: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let answer: Credential | null;
  try {
    answer = await work();
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotAllowedError" || name === "AbortError") throw new NoPasskey("cancelled");
    throw new NoPasskey("refused", error instanceof Error ? error.message : String(error));
  }
  if (answer instanceof PublicKeyCredential) return answer;
  throw new NoPasskey("refused", "no passkey came");
}
