/** Asks a hub for the sealed profile of a card that has no room. */
import { randomBytes } from "node:crypto";
import { type Bundle, parseBundle } from "./bundle.ts";
import { HubLine } from "./hub_line.ts";
import {
  LONGEST_STORE_ANSWER,
  openStoreAnswer,
  sealStoreRequest,
  STORE_BYTES,
  STORE_GREETING,
} from "./store_protocol.ts";

/** How long the hub may take: somebody stands before the reader. */
const PATIENCE_MS = 4_000;

/** Where a hub keeps profiles. */
export interface ProfileStore {
  /** "host:port" (TCP). */
  readonly hub: string;
  /** Holds the key that hub and gateways share: 32 bytes in base64, as `wg genpsk` writes them. */
  readonly keyFile: string;
}

/**
 * The profile that the hub keeps for a card; `undefined`: none, or none that is one. Not yet trusted.
 * @throws {Error} when no hub of this key answers, or the key can't be read.
 */
export async function fetchProfile(
  { hub, keyFile }: ProfileStore,
  cardId: string,
): Promise<Bundle | undefined> {
  const key = await readStoreKey(keyFile);
  try {
    using line = await HubLine.open(hub, { patienceMs: PATIENCE_MS, unreachable });
    const greeting = await line.read(STORE_GREETING.length + STORE_BYTES);
    if (!STORE_GREETING.every((byte, at) => greeting[at] === byte)) {
      throw unreachable(hub, "something else answers there");
    }
    const challenge = greeting.slice(STORE_GREETING.length);
    const exchange = { key, challenge, nonce: new Uint8Array(randomBytes(STORE_BYTES)) };
    await line.write(sealStoreRequest(exchange, cardId));
    const head = await line.read(4);
    const length = new DataView(head.buffer).getUint32(0);
    if (length > LONGEST_STORE_ANSWER) throw unreachable(hub, "its answer has no end");
    const file = openStoreAnswer(exchange, await line.read(length));
    if (file === undefined) throw unreachable(hub, "it has another key");
    return file.length === 0 ? undefined : parseBundle(new TextDecoder().decode(file));
  } finally {
    key.fill(0);
  }
}

/**
 * Reads the shared key.
 * @throws {Error} when the file can't be read, is open to others, or holds something else.
 */
export async function readStoreKey(path: string): Promise<Uint8Array> {
  const fault = (why: string) => new Error(`Cannot use ${path}: ${why}; make it with wg genpsk`);
  let text: string;
  try {
    const { mode, size } = await Deno.stat(path);
    if (((mode ?? 0) & 0o077) !== 0) throw fault("others may read it (mode 0600 is expected)");
    if (size > 64) throw fault("it holds something else");
    text = (await Deno.readTextFile(path)).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw fault("it is not there");
    throw error;
  }
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) throw fault("it holds no key of 32 bytes");
  return Uint8Array.fromBase64(text);
}

function unreachable(hub: string, why: string): Error {
  return new Error(
    `Cannot ask the hub at ${hub} for the card's profile: ${why}; check token.hub_profiles`,
  );
}
