/**
 * The initiators' side of many handshakes, run in a machine of its own: `RESPONDER_KEY CLIENTS
 * HANDSHAKES`. Initiations are computed beforehand, so that this side costs little while it counts.
 * Prints "ready", starts when it reads a line, then prints {"handshakes", "seconds", "checked"}.
 */
import { nativeCrypto } from "../../../tunnel/protocol/native.ts";
import { CookieGenerator } from "../../../tunnel/protocol/cookie.ts";
import { Handshake, Noise } from "../../../tunnel/protocol/handshake.ts";
import { Kdf } from "../../../tunnel/protocol/kdf.ts";
import { KeyPool, type KeySlot } from "../../../tunnel/protocol/key_pool.ts";
import {
  INITIATION_LENGTH,
  TYPE_COOKIE_REPLY,
  TYPE_RESPONSE,
} from "../../../tunnel/protocol/spec.ts";
import { clientOfAddress, clientPrivateKey, outsideAddress } from "./clients.ts";
import { ManyAddresses } from "./wire_side.ts";

const RESPONDER = { address: 0xc0000202, port: 51820 };
/** Initiations under way at once, and how long one is waited for. */
const WINDOW = 64;
const PATIENCE_MS = 200;
/** Of so many initiations one has its response verified. */
const CHECK_EVERY = 50;
const TIMESTAMP_STEP_MS = 17;

interface Prepared {
  readonly client: number;
  readonly message: Uint8Array;
  readonly state: Handshake | undefined;
}

interface Client {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly cookies: CookieGenerator;
  pending: { prepared: Prepared; sentAt: number } | undefined;
}

const crypto = nativeCrypto();
if (crypto === undefined) throw new Error("Cannot measure: there is no libcrypto 3 here");
const [keyText = "", clientsText = "", handshakesText = ""] = Deno.args;
const responderKey = Uint8Array.fromBase64(keyText);
const count = Number(clientsText);
const pool = new KeyPool(new Uint8Array(4096), () => new Uint8Array(65_536));
const noise = new Noise({
  crypto,
  kdf: new Kdf(crypto, [slot(), slot()]),
  random: (out) => globalThis.crypto.getRandomValues(out as Uint8Array<ArrayBuffer>),
});
const clients = Array.from({ length: count }, (_, index): Client => {
  const privateKey = clientPrivateKey(index);
  const publicKey = new Uint8Array(32);
  crypto.publicKey(publicKey, privateKey);
  const cookies = new CookieGenerator(responderKey, crypto);
  return { privateKey, publicKey, cookies, pending: undefined };
});
const startedAt = Date.now();
const prepared = Array.from({ length: Number(handshakesText) }, (_, i) => prepare(i));
const wire = new ManyAddresses(RESPONDER);
let handshakes = 0;
let checked = 0;
let lost = 0;

console.log("ready");
await Deno.stdin.read(new Uint8Array(1));
const begun = performance.now();
await run();
const seconds = (performance.now() - begun) / 1000;
console.log(JSON.stringify({ handshakes, seconds, checked, lost }));

function prepare(i: number): Prepared {
  const index = i % count;
  const client = clients[index];
  const state = Handshake.take(pool);
  if (client === undefined || state === undefined || crypto === undefined) {
    throw new Error("clients and memory are there");
  }
  state.localIndex = i + 1;
  const message = new Uint8Array(INITIATION_LENGTH);
  const steps = noise.createInitiation(state, message, {
    ownPublicKey: client.publicKey,
    peerPublicKey: responderKey,
    writeTimestamp: (out) =>
      writeTimestamp(out, startedAt + Math.floor(i / count) * TIMESTAMP_STEP_MS),
  });
  for (let step = steps.next(true); !step.done;) {
    const { out, peerPublicKey } = step.value;
    step = steps.next(crypto.dh(out, client.privateKey, peerPublicKey));
  }
  if (i % CHECK_EVERY === 0) return { client: index, message, state };
  state.release();
  return { client: index, message, state: undefined };
}

async function run(): Promise<void> {
  let next = 0;
  let underway = 0;
  let turns = 0;
  while (next < prepared.length || underway > 0) {
    const now = performance.now();
    while (underway < WINDOW && next < prepared.length) {
      const each = prepared[next];
      const client = each === undefined ? undefined : clients[each.client];
      if (each === undefined || client === undefined || client.pending !== undefined) break;
      next++;
      underway++;
      sendAgain(client, each, now);
    }
    for (let got = wire.receive(); got !== undefined; got = wire.receive()) {
      if (take(got.message, clientOfAddress(got.toAddress), now)) underway--;
    }
    // Timeouts are rare: a look at all clients now and then will do.
    if (++turns % 4096 !== 0) continue;
    for (const client of clients) {
      if (client.pending === undefined || now - client.pending.sentAt < PATIENCE_MS) continue;
      client.pending = undefined;
      underway--;
      lost++;
    }
    await Promise.resolve();
  }
}

function sendAgain(client: Client, each: Prepared, now: number): void {
  client.cookies.addMacs(each.message, now);
  client.pending = { prepared: each, sentAt: now };
  wire.send(each.message, outsideAddress(each.client));
}

/** Whether this ends the client's handshake. */
function take(message: Uint8Array, index: number, now: number): boolean {
  const client = clients[index];
  if (client?.pending === undefined) return false;
  const { prepared: each } = client.pending;
  if (message[0] === TYPE_COOKIE_REPLY) {
    if (client.cookies.consumeReply(message, now)) sendAgain(client, each, now);
    return false;
  }
  // One that comes late answers an initiation that was given up.
  if (message[0] !== TYPE_RESPONSE || !answers(message, each.message)) return false;
  if (each.state !== undefined) verify(each.state, client, message);
  client.pending = undefined;
  handshakes++;
  return true;
}

/** Whether the response's receiver index is the initiation's sender index (whitepaper 5.4.3). */
function answers(response: Uint8Array, initiation: Uint8Array): boolean {
  return [0, 1, 2, 3].every((at) => response[8 + at] === initiation[4 + at]);
}

function verify(sent: Handshake, client: Client, response: Uint8Array): void {
  const state = Handshake.take(pool);
  if (state === undefined || crypto === undefined) throw new Error("the pool grows");
  const presharedKey = new Uint8Array(32);
  const steps = noise.consumeResponse(state, response, { sent, presharedKey });
  let step = steps.next(true);
  while (!step.done) {
    const { out, peerPublicKey } = step.value;
    step = steps.next(crypto.dh(out, client.privateKey, peerPublicKey));
  }
  if (!step.value) throw new Error("Cannot trust this run: a response is false");
  checked++;
  state.release();
  sent.release();
}

/** TAI64N. */
function writeTimestamp(out: Uint8Array, milliseconds: number): void {
  const view = new DataView(out.buffer, out.byteOffset);
  view.setUint32(0, 0x40000000);
  view.setUint32(4, Math.floor(milliseconds / 1000) + 10);
  view.setUint32(8, (milliseconds % 1000) * 1e6);
}

function slot(): KeySlot {
  const taken = pool.take();
  if (taken === undefined) throw new Error("the pool grows");
  return taken;
}
