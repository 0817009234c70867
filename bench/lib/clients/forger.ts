/**
 * Sends initiations that are none, from thousands of addresses, run in a machine of its own:
 * `RESPONDER_KEY PER_SECOND`. Half of them carry a right MAC1, which needs the responder's public key
 * only. Prints "ready", starts at the first line that it reads and ends when its input does; then
 * prints how many it sent.
 */
import { CookieGenerator } from "../../../tunnel/protocol/cookie.ts";
import { nobleCrypto } from "../../../tunnel/protocol/noble.ts";
import { INITIATION_LENGTH, TYPE_INITIATION } from "../../../tunnel/protocol/spec.ts";
import { outsideAddress } from "./clients.ts";
import { ManyAddresses } from "./wire_side.ts";

const RESPONDER = { address: 0xc6336402, port: 51820 };
const SOURCES = 4096;

const [keyText = "", rateText = ""] = Deno.args;
const rate = Number(rateText);
const macs = new CookieGenerator(Uint8Array.fromBase64(keyText), nobleCrypto);
const forged = Array.from({ length: SOURCES }, (_, index) => {
  const message = crypto.getRandomValues(new Uint8Array(INITIATION_LENGTH));
  message.fill(0, 0, 4);
  message[0] = TYPE_INITIATION;
  if (index % 2 === 0) macs.addMacs(message, 0);
  return message;
});
const wire = new ManyAddresses(RESPONDER);
let sent = 0;
let answers = 0;

console.log("ready");
await Deno.stdin.read(new Uint8Array(1));
let over = false;
void Deno.stdin.read(new Uint8Array(1)).then(() => over = true);
const started = performance.now();
while (!over) {
  const due = (performance.now() - started) / 1000 * rate;
  for (; sent < due; sent++) {
    const message = forged[sent % SOURCES];
    if (message !== undefined) wire.send(message, outsideAddress(sent % SOURCES));
  }
  while (wire.receive() !== undefined) answers++;
  await new Promise((resolve) => setTimeout(resolve, 2));
}
const seconds = (performance.now() - started) / 1000;
console.log(JSON.stringify({ sent, seconds, answers, failed: wire.failed }));
