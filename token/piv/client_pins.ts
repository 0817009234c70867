/** PIN and PUK: SP 800-73-4 part 2, sections 3.2.1 to 3.2.3. The card counts the tries. */
import type { CardChannel } from "../apdu/channel.ts";
import { command } from "../apdu/command.ts";
import { SW, triesLeft } from "../apdu/status.ts";
import { exchange } from "./client_exchange.ts";
import { refusal } from "./client_errors.ts";
import type { HolderPin, PinChange, PinResult, PinStatus } from "./client_types.ts";
import { PIN_LENGTH, PIN_REFERENCE, type PinReference, PIV_INS } from "./constants.ts";

/** P1 of VERIFY: compare, or forget that the PIN was verified. */
const VERIFY = { compare: 0x00, forget: 0xff } as const;

/** Asks what the card thinks of its PIN; no try is spent. */
export async function pinStatus(
  channel: CardChannel,
  reference: HolderPin,
): Promise<PinStatus> {
  const { sw } = await exchange(channel, command({ ins: PIV_INS.verify, p2: reference }));
  if (sw === SW.OK) return { state: "verified" };
  const left = triesLeft(sw);
  if (left === 0 || sw === SW.AUTH_METHOD_BLOCKED) return { state: "blocked" };
  if (left === undefined) throw refusal("ask the card about its PIN", sw);
  return { state: "locked", triesLeft: left };
}

/** Has the card compare a PIN. One that can't be any card's PIN is not sent: no try is spent. */
export async function verifyPin(
  channel: CardChannel,
  attempt: { reference: HolderPin; pin: Uint8Array },
): Promise<PinResult> {
  const { reference, pin } = attempt;
  if (!isPin(pin)) return await wrongWithoutTry(channel, reference);
  const data = pad(pin);
  try {
    const { sw } = await exchange(
      channel,
      command({ ins: PIV_INS.verify, p1: VERIFY.compare, p2: reference }, { data }),
    );
    const result = compared(sw);
    if (result !== undefined) return result;
    if (sw === SW.INCORRECT_DATA || sw === SW.WRONG_LENGTH) {
      return await wrongWithoutTry(channel, reference);
    }
    // Wrong, and no word of the tries: older cards have to be asked for them.
    if (sw === SW.WRONG) return afterWrong(await pinStatus(channel, reference));
    throw refusal("verify the PIN", sw);
  } finally {
    data.fill(0);
  }
}

/** Takes back that a PIN was verified; `false`: the card has no such command. */
export async function forgetPin(channel: CardChannel, reference: HolderPin): Promise<boolean> {
  const { sw } = await exchange(
    channel,
    command({ ins: PIV_INS.verify, p1: VERIFY.forget, p2: reference }),
  );
  return sw === SW.OK;
}

/** Sets a new PIN or PUK in place of the old. */
export function changePin(
  channel: CardChannel,
  change: { reference: PinReference; old: Uint8Array; new: Uint8Array },
): Promise<PinChange> {
  return replace(channel, {
    ins: PIV_INS.changeReferenceData,
    reference: change.reference,
    proof: change.old,
    pin: change.new,
    doing: change.reference === PIN_REFERENCE.puk ? "change the PUK" : "change the PIN",
  });
}

/** Sets a new PIN of the PIV application, with all its tries, by the PUK: no PUK unblocks a global PIN. */
export function unblockPin(
  channel: CardChannel,
  pins: { puk: Uint8Array; new: Uint8Array },
): Promise<PinChange> {
  return replace(channel, {
    ins: PIV_INS.resetRetryCounter,
    reference: PIN_REFERENCE.pin,
    proof: pins.puk,
    pin: pins.new,
    doing: "unblock the PIN",
  });
}

async function replace(
  channel: CardChannel,
  request: {
    ins: number;
    reference: PinReference;
    proof: Uint8Array;
    pin: Uint8Array;
    doing: string;
  },
): Promise<PinChange> {
  const { ins, reference, proof, pin, doing } = request;
  if (!isPin(proof) || !isPin(pin)) return { outcome: "malformed" };
  const data = new Uint8Array(2 * PIN_LENGTH.longest).fill(PIN_LENGTH.padding);
  data.set(proof);
  data.set(pin, PIN_LENGTH.longest);
  try {
    const { sw } = await exchange(channel, command({ ins, p2: reference }, { data }));
    const result = compared(sw);
    if (result !== undefined) return result;
    if (sw === SW.INCORRECT_DATA || sw === SW.CONDITIONS_NOT_SATISFIED) {
      return { outcome: "malformed" };
    }
    throw refusal(doing, sw);
  } finally {
    data.fill(0);
  }
}

function compared(sw: number): PinResult | undefined {
  if (sw === SW.OK) return { outcome: "ok" };
  const left = triesLeft(sw);
  if (left === 0 || sw === SW.AUTH_METHOD_BLOCKED) return { outcome: "blocked" };
  return left === undefined ? undefined : { outcome: "wrong", triesLeft: left };
}

/** A wrong PIN ends a verified state, also when it is not sent. */
async function wrongWithoutTry(
  channel: CardChannel,
  reference: HolderPin,
): Promise<PinResult> {
  await forgetPin(channel, reference);
  return afterWrong(await pinStatus(channel, reference));
}

function afterWrong(status: PinStatus): PinResult {
  if (status.state === "blocked") return { outcome: "blocked" };
  // A card that can't forget gives no count while verified: say the least that is true.
  return { outcome: "wrong", triesLeft: status.state === "locked" ? status.triesLeft : 1 };
}

function isPin(pin: Uint8Array): boolean {
  return pin.length >= PIN_LENGTH.shortest && pin.length <= PIN_LENGTH.longest &&
    !pin.includes(PIN_LENGTH.padding);
}

function pad(pin: Uint8Array): Uint8Array {
  const data = new Uint8Array(PIN_LENGTH.longest).fill(PIN_LENGTH.padding);
  data.set(pin);
  return data;
}
