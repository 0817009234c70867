/**
 * A card in a virtual reader that behaves as cards in the field do and should not: slow, mute,
 * bouncing. `odd_card_program.ts PORT CONTROL SERIAL`: the control socket takes one line at a time:
 * `insert`, `remove`, `slow MS` (each answer so much later), `hold` (no command goes on until `go`),
 * `held` (an error unless one waits so), `mute`, `normal`, `vanish` (in the middle of the next command),
 * `lie HEX` (the next answer), `flood HEX` (every answer from now on).
 */
import { SoftCard } from "../../token/softcard/card.ts";
import { Deframer, frame, VPCD_CONTROL } from "../../token/softcard/vpcd_framing.ts";
import { SOFTCARD_ATR } from "../../token/softcard/vpcd_reader.ts";
import { cheapCard, countingCrypto } from "../../token/softcard/test_card.ts";

const [port, control, serial] = Deno.args;
const card = new SoftCard(cheapCard({ serial: Number(serial) }), countingCrypto());

/** What no card answers to a reset. */
const MUTE_ATR = Uint8Array.of(0xff, 0xff, 0xff);

let inserted = false;
let connection: Deno.TcpConn | undefined;
let slowMs = 0;
let hold: PromiseWithResolvers<void> | undefined;
let isHeld = false;
let isMute = false;
let vanishes = false;
let lie: Uint8Array | undefined;
let flood: Uint8Array | undefined;

void serveControl();
for (;;) {
  if (inserted) await serveReader().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 10));
}

async function serveReader(): Promise<void> {
  const open = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  connection = open;
  open.setNoDelay(true);
  card.powerUp();
  try {
    const deframer = new Deframer();
    const buffer = new Uint8Array(4096);
    while (inserted) {
      const count = await open.read(buffer);
      if (count === null) return;
      for (const message of deframer.push(buffer.subarray(0, count))) {
        const answer = await answerTo(message);
        if (answer !== undefined) await open.write(frame(answer));
      }
    }
  } finally {
    connection = undefined;
    try {
      open.close();
    } catch {
      // The control socket was faster.
    }
  }
}

async function answerTo(message: Uint8Array): Promise<Uint8Array | undefined> {
  if (message.length > 1) return await transmit(message);
  if (message[0] === VPCD_CONTROL.getAtr) return isMute ? MUTE_ATR : SOFTCARD_ATR;
  card.powerUp();
  return undefined;
}

async function transmit(command: Uint8Array): Promise<Uint8Array | undefined> {
  if (slowMs > 0) await new Promise((resolve) => setTimeout(resolve, slowMs));
  if (hold !== undefined) {
    isHeld = true;
    await hold.promise;
    isHeld = false;
  }
  if (vanishes) {
    vanishes = false;
    leave();
    return undefined;
  }
  const untrue = lie ?? flood;
  lie = undefined;
  if (untrue !== undefined) return untrue;
  const script = card.transmit(command);
  let step = script.next();
  while (!step.done) step = script.next(true);
  return step.value;
}

function leave(): void {
  inserted = false;
  connection?.close();
  connection = undefined;
}

function obey(line: string): string {
  const [verb, detail = ""] = line.trim().split(" ");
  switch (verb) {
    case "insert":
      inserted = true;
      return "ok";
    case "remove":
      leave();
      return "ok";
    case "slow":
      slowMs = Number(detail);
      return "ok";
    case "hold":
      hold ??= Promise.withResolvers();
      return "ok";
    case "go":
      hold?.resolve();
      hold = undefined;
      return "ok";
    case "held":
      return isHeld ? "ok" : "error";
    case "mute":
    case "normal":
      isMute = verb === "mute";
      if (verb === "normal") flood = undefined;
      return "ok";
    case "vanish":
      vanishes = true;
      return "ok";
    case "lie":
      lie = Uint8Array.fromHex(detail);
      return "ok";
    case "flood":
      flood = Uint8Array.fromHex(detail);
      return "ok";
    default:
      return "error";
  }
}

async function serveControl(): Promise<void> {
  for await (const one of Deno.listen({ transport: "unix", path: control ?? "" })) {
    const line = await lineFrom(one);
    if (line !== undefined) await one.write(new TextEncoder().encode(obey(line)));
    one.close();
  }
}

/** A long line comes in pieces. */
async function lineFrom(connection: Deno.Conn): Promise<string | undefined> {
  const buffer = new Uint8Array(70_000);
  for (let length = 0;;) {
    const count = await connection.read(buffer.subarray(length));
    if (count === null) return undefined;
    length += count;
    const text = new TextDecoder().decode(buffer.subarray(0, length));
    if (text.endsWith("\n")) return text;
  }
}
