/** The software card: commands, what vpcd may send, state files, and a purse's records. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { parseCommand } from "../../token/apdu/command.ts";
import { SW } from "../../token/apdu/status.ts";
import { concat } from "../../token/apdu/tlv.ts";
import { PIV_AID } from "../../token/piv/constants.ts";
import { OPENPGP_RID } from "../../token/softcard/openpgp/constants.ts";
import { decodeState, encodeState, isDamage } from "../../token/softcard/state_codec.ts";
import { isBalanced } from "../../token/softcard/stored_value/state.ts";
import type { CardState } from "../../token/softcard/state.ts";
import { cheapCard, TestCard } from "../../token/softcard/test_card.ts";
import { Deframer, frame } from "../../token/softcard/vpcd_framing.ts";
import { decodeReceipt, encodeReceipt } from "../../token/stored_value/receipt.ts";
import * as wire from "../../token/stored_value/wire.ts";
import type { FuzzTarget } from "./target.ts";

const hex = (digits: string) => Uint8Array.fromHex(digits.replaceAll(" ", ""));
const APPLICATIONS = [
  { name: "piv", aid: PIV_AID, holder: "0020008008 313233343536ffff" },
  { name: "openpgp", aid: OPENPGP_RID, holder: "0020008206 313233343536" },
  { name: "purse", aid: wire.STORED_VALUE_AID, holder: "0020008008 32343638ffffffff" },
] as const;
const KEY = new Uint8Array(32).fill(1);
const USED: { card?: CardState } = {};

/** Most commands of one input. */
const MOST_COMMANDS = 12;

/**
 * First byte: application, whether the holder and the administrator are verified. Then commands,
 * each after two bytes of length.
 */
const commands: FuzzTarget = {
  name: "card_commands",
  seeds: [
    [0, "00cb3fff055c035fc10200", "002000800831323334353637ff"],
    [4, "0087119a267c2482008120" + "11".repeat(32) + "00", "00f8009a00"],
    [8, "0047009a05ac038001e000", "00db3fff095c035f400053020102"],
    [4, "0087e19d267c2482008520" + "09".repeat(32) + "00"],
    [1, "00ca006e00", "00c0000010", "00a50004066004 5c027f21", "00ca7f2100"],
    [9, "0047800002b80000", "00da0102020102", "00db3fff084d06b8007f48005f4800"],
    [5, "002a8086 29 a6277f49248622" + "05".repeat(34) + "00", "00ca010300", "008800000141"],
    [2, "805c000000", "8050010019" + "00".repeat(25), "8052000010" + "00".repeat(16)],
    [6, "805400001a0000000a0188" + "41".repeat(16) + "00000001" + "00", "00b2010400"],
    [2, "10db3fff0201ff", "00db3fff0103", "80e0000000", "00a4040005a000000308"],
  ].map(([flags, ...list]) =>
    concat(
      Uint8Array.of(Number(flags)),
      ...list.map((one) => frame(hex(String(one)))),
    )
  ),
  run(input) {
    const flags = input[0] ?? 0;
    const application = APPLICATIONS[(flags & 3) % 3] ?? APPLICATIONS[0];
    const card = new TestCard(usedCard());
    card.send([0xa4, 4, 0], application.aid);
    if ((flags & 4) !== 0) card.hex(application.holder);
    if ((flags & 8) !== 0 && application.name === "piv") card.beAdministrator();
    if ((flags & 8) !== 0 && application.name === "openpgp") {
      card.hex("0020008308 3132333435363738");
    }
    let last = "nothing";
    for (const raw of split(input.subarray(1))) {
      const before = card.card.state;
      const parsed = parseCommand(raw);
      // Making an RSA key takes a second, and no more input than any other key.
      if (typeof parsed === "object" && parsed.ins === 0x47) {
        const isRsa = parsed.data.includes(0x07) ||
          before.openPgp?.keys.signature.attributes[0] === 1 ||
          before.openPgp?.keys.decipher.attributes[0] === 1 ||
          before.openPgp?.keys.authentication.attributes[0] === 1;
        if (isRsa) continue;
      }
      const { sw, data } = card.raw(raw);
      assert.ok(isStatusWord(sw), sw.toString(16));
      assert.ok(data.length <= 65_536);
      checkTries(before, card.card.state, sw);
      const { purse } = card.card.state;
      assert.ok(purse === undefined || isBalanced(purse), "the books balance");
      const ins = typeof parsed === "object" ? `${parsed.cla & 0x80} ${parsed.ins}` : parsed;
      last = `${application.name} ${sw === SW.INS_NOT_SUPPORTED ? "any" : ins} ${sw}`;
    }
    const { state } = card.card;
    assert.deepEqual(decodeState(encodeState(state)), state);
    return last;
  },
};

/** Whatever the stream and however it is cut, the same messages come out, and little is held. */
const vpcd: FuzzTarget = {
  name: "vpcd_stream",
  seeds: [
    concat(frame(Uint8Array.of(4)), frame(Uint8Array.of(1)), frame(hex("00a4040000"))),
    concat(frame(new Uint8Array(0)), frame(Uint8Array.of(9)), frame(new Uint8Array(300))),
    hex("ffff00"),
    hex("00"),
    hex("0000 0001 04 0002"),
    hex("0001"),
  ],
  run(input) {
    const whole = new Deframer().push(input);
    const step = 1 + (input[0] ?? 0) % 17;
    const deframer = new Deframer();
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < input.length; at += step) {
      pieces.push(...deframer.push(input.subarray(at, at + step)));
    }
    assert.deepEqual(pieces, whole);
    const used = whole.reduce((sum, { length }) => sum + 2 + length, 0);
    assert.ok(used <= input.length, "no message has bytes that never came");
    const rest = input.length - used;
    const kinds = new Set(whole.map(({ length }) => Math.min(length, 3)));
    return `${Math.min(whole.length, 3)} messages ${[...kinds].sort()} rest ${Math.min(rest, 3)}`;
  },
};

/** A state file's body under a right sum: what a damaged or forged one may say. */
const stateFile: FuzzTarget = {
  name: "card_state",
  seeds: [
    ...[smallCard(), "{}", "[]", '{"serial":1}', '{"serial":1,"piv":{}}', "null", "{"].map((text) =>
      new TextEncoder().encode(text)
    ),
  ],
  run(input) {
    const sum = createHash("sha256").update(input).digest("hex");
    const head = new TextEncoder().encode(`sekisho-softcard 2 ${sum}\n`);
    const read = decodeState(concat(head, input));
    if (isDamage(read)) return `${read.kind} ${Math.min(3, input.length >> 7)}`;
    assert.deepEqual(decodeState(encodeState(read)), read);
    assert.ok(read.purse === undefined || isBalanced(read.purse));
    // What is taken for a card must not make it throw.
    new TestCard(read).get(0x5fc102);
    return `a card, purse ${read.purse !== undefined}, OpenPGP ${read.openPgp !== undefined}`;
  },
};

/** Records of fixed length: what is read is written back as it was. */
const records: FuzzTarget = {
  name: "purse_records",
  seeds: [16, 26, 42, 48, 54, 75, 130, 1].map((length) => new Uint8Array(length).fill(1)),
  run(input) {
    const forms: [string, (bytes: Uint8Array) => Uint8Array | undefined][] = [
      ["limits", again(wire.decodeLimits, wire.encodeLimits)],
      ["order", again(wire.decodeOrder, wire.encodeOrder)],
      ["ask", again(wire.decodeAsk, wire.encodeAsk)],
      ["installation", again(wire.decodeInstallation, wire.encodeInstallation)],
      ["receipt", again(decodeReceipt, encodeReceipt)],
    ];
    const read = forms.flatMap(([name, back]) => {
      const bytes = back(input);
      if (bytes === undefined) return [];
      assert.deepEqual(bytes, input, name);
      return [name];
    });
    // Unused bits of its flags are not kept, so a status is compared as what it says.
    const status = wire.decodeStatus(input);
    if (status !== undefined) {
      assert.deepEqual(wire.decodeStatus(wire.encodeStatus(status)), status);
      read.push(`status ${status.pinTries === undefined} ${status.isClosed}`);
    }
    return read.join() || `nothing ${input.length % 8}`;
  },
};

export const softcardTargets: readonly FuzzTarget[] = [commands, vpcd, stateFile, records];

function again<T>(
  decode: (bytes: Uint8Array) => T | undefined,
  encode: (one: T) => Uint8Array,
): (bytes: Uint8Array) => Uint8Array | undefined {
  return (bytes) => {
    const one = decode(bytes);
    return one === undefined ? undefined : encode(one);
  };
}

function split(input: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at + 2 <= input.length && found.length < MOST_COMMANDS;) {
    const length = (((input[at] ?? 0) & 0x0f) << 8) | (input[at + 1] ?? 0);
    found.push(input.slice(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return found;
}

/** 61xx to 6Fxx, 9000, and the purse's own. */
function isStatusWord(sw: number): boolean {
  const isStandard = sw === SW.OK || (sw >= 0x6100 && sw < 0x7000);
  return isStandard || Object.values(wire.PURSE_SW).some((own) => own === sw);
}

/** Tries only come back by a command that succeeds. */
function checkTries(before: CardState, after: CardState, sw: number): void {
  if (sw === SW.OK) return;
  const tries = (state: CardState) => [
    state.piv.pin.triesLeft,
    state.piv.puk.triesLeft,
    state.openPgp?.pw1.reference.triesLeft ?? 0,
    state.openPgp?.pw3.reference.triesLeft ?? 0,
    state.purse?.pin?.triesLeft ?? 0,
  ];
  const now = tries(after);
  for (const [index, left] of tries(before).entries()) {
    // A change of PIN that ends in a refused new one has proven the old one.
    if (sw === SW.INCORRECT_DATA) continue;
    assert.ok((now[index] ?? 0) <= left, `a try came back at ${sw.toString(16)}`);
  }
}

/** A card with keys, objects and money on it; made once. */
function usedCard(): CardState {
  USED.card ??= makeUsedCard();
  return USED.card;
}

/** A card's state that mutations don't cut: without certificate, with a purse. */
function smallCard(): string {
  const { openPgp: _large, ...card } = makeUsedCard();
  const file = encodeState({ ...card, piv: { ...card.piv, objects: new Map(), keys: new Map() } });
  return new TextDecoder().decode(file.subarray(file.indexOf(0x0a) + 1));
}

function makeUsedCard(): CardState {
  const card = new TestCard(cheapCard());
  card.beAdministrator();
  card.generate(0x9a, 0x11);
  card.generate(0x9d, 0xe1);
  card.put(0x5f4000, new Uint8Array(300).fill(4));
  card.send([0xa4, 4, 0], OPENPGP_RID);
  card.hex("0020008308 3132333435363738");
  for (const which of ["b600", "b800", "a400"]) card.hex(`0047800002${which}00`);
  card.hex("0020008206 313233343536");
  card.hex("00da0103020102");
  card.send([0xa4, 4, 0], wire.STORED_VALUE_AID);
  const limits = { balance: 90_000, debit: 50_000, withoutPin: 1_000, withoutPinTotal: 5_000 };
  const installation = wire.encodeInstallation({
    cardId: new Uint8Array(8).fill(1),
    currency: 392,
    limits,
    keys: { load: KEY, settlement: KEY, receipt: KEY },
    pin: hex("32343638ffffffff"),
  });
  card.raw(concat(hex(`80e0000082`), installation));
  const { state } = card.card;
  if (state.purse === undefined) throw new Error("A fresh card takes a purse");
  // Money that no issuer consented to: this card is for fuzzing only.
  return { ...state, purse: { ...state.purse, balance: 20_000, credited: 20_000 } };
}
