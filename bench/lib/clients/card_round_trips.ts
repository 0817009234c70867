/** Round trips of one small command to the card in a machine's reader: `READER COUNT`; prints milliseconds as JSON. */
import { openCard } from "../../../token/pcsc/session.ts";

const [reader = "", count = ""] = Deno.args;
/** GET VERSION: five bytes there, five back. */
const COMMAND = Uint8Array.of(0x00, 0xfd, 0x00, 0x00, 0x00);
const WARM_UP = 20;

const card = await openCard(reader);
// PIV first: the instruction is its own.
await card.transmit(Uint8Array.fromHex("00a4040009a0000003080000100000"));
const took: number[] = [];
for (let n = -WARM_UP; n < Number(count); n++) {
  const began = performance.now();
  const answer = await card.transmit(COMMAND);
  if (answer.at(-2) !== 0x90) throw new Error(`Cannot measure: the card said ${answer.toHex()}`);
  if (n >= 0) took.push(performance.now() - began);
}
await card.close("reset");
console.log(JSON.stringify(took));
Deno.exit(0);
