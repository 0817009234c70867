/**
 * Gives keys to libcrypto, wipes its own copies, and lets them go when told by a line on standard
 * input. The arguments are the complement of each key in hexadecimal, so that no key is in them, and
 * what to use.
 */
import { bestCrypto, cryptoChoice } from "../../tunnel/protocol/native.ts";

const [identityText = "", sessionText = "", choice] = Deno.args;
const crypto = await bestCrypto(cryptoChoice(choice));
if (crypto.name === "noble") throw new Error("Cannot test: there is no libcrypto 3 here");

const arena = new Uint8Array(65536);
const packets = crypto.transport(arena);
const identity = given(identityText);
const session = given(sessionText);
const ready = crypto.privateKey(identity);
// A second one, as an ephemeral is used: nothing of it may be there when the first is gone.
crypto.publicKey(new Uint8Array(32), identity);
crypto.hmac(new Uint8Array(32), session, session);
crypto.seal(new Uint8Array(48), session, new Uint8Array(32), new Uint8Array(0));
packets.seal(session, 0, 0, 1420);
packets.open(session, 0, 0, 1420);
identity.fill(0);
session.fill(0);

const steps = Deno.stdin.readable.getReader();
console.log("held");
await steps.read();
ready.release();
packets.forget();
console.log("released");
await steps.read();

function given(text: string): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let index = 0; index < 32; index++) {
    bytes[index] = 255 - Number.parseInt(text.slice(2 * index, 2 * index + 2), 16);
  }
  return bytes;
}
