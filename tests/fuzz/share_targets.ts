/** What terminals send to whoever lends the card: frames of the network reader, commands of a lease. */
import assert from "node:assert/strict";
import { parseCommand } from "../../token/apdu/command.ts";
import { SW } from "../../token/apdu/status.ts";
import { KEY_REFERENCE, PIV_AID_RID } from "../../token/piv/constants.ts";
import { ApduPolicy, LeaseAudit, type LeaseWay } from "../../token/share/apdu_policy.ts";
import { SHARED_APPLICATIONS } from "../../token/share/applications.ts";
import {
  decodePlace,
  encodeFrame,
  encodePlace,
  encodeText,
  LINK,
  LinkDeframer,
  type LinkFrame,
} from "../../token/share/link.ts";
import { STORED_VALUE_AID } from "../../token/stored_value/wire.ts";
import type { FuzzTarget } from "./target.ts";

const LONGEST = 65_545;
const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const join = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

/** The first byte says how finely the stream is cut; the rest is the stream. */
const link: FuzzTarget = {
  name: "share_link",
  seeds: [
    encodeFrame(LINK.hello, Uint8Array.of(1)),
    join(encodeFrame(LINK.command, hex("00A4040000")), encodeFrame(LINK.release)),
    join(encodeFrame(LINK.reset), encodePlace({ place: 2, holder: "居間の PC" })),
    join(encodeText(LINK.ended, "hard-limit"), hex("000000")),
    encodePlace({ place: 70_000, holder: "x".repeat(200) }),
    hex("00000001"),
    hex("00000000"),
    hex("0001000a 02"),
    hex("16030100 f4"),
  ].map((stream) => join(Uint8Array.of(3), stream)),
  run(input) {
    const stream = input.subarray(1);
    const whole = cutInto(stream, stream.length);
    const cut = cutInto(stream, 1 + (input[0] ?? 0) % 64);
    assert.equal(cut.isTooLong, whole.isTooLong, "however it is cut");
    // What came before the nonsense was taken already where it came in pieces.
    if (!whole.isTooLong) assert.deepEqual(cut.frames, whole.frames);
    const again = join(...cut.frames.map(({ kind, body }) => encodeFrame(kind, body)));
    assert.deepEqual(again, stream.slice(0, again.length), "a frame has one form");
    if (!cut.isTooLong) {
      assert.ok(stream.length - again.length < 4 + LONGEST, "one is held at most");
    }
    const kinds = cut.frames.map(({ kind, body }) => {
      if (kind !== LINK.place) return Object.values<number>(LINK).includes(kind) ? kind : "other";
      const place = decodePlace(body);
      if (place === undefined) return "no place";
      assert.ok(place.place <= 0xffff && place.holder.length <= body.length);
      return `place ${Math.min(2, place.place)} ${place.holder !== ""}`;
    });
    const rest = stream.length - again.length;
    return `${cut.isTooLong} ${kinds.slice(0, 4)} ${Math.min(5, rest)}`;
  },
};

function cutInto(stream: Uint8Array, size: number): { frames: LinkFrame[]; isTooLong: boolean } {
  const deframer = new LinkDeframer();
  const frames: LinkFrame[] = [];
  for (let at = 0; at < stream.length; at += size) {
    const got = deframer.push(stream.slice(at, at + size));
    if (got === "too-long") return { frames, isTooLong: true };
    frames.push(...got);
  }
  return { frames, isTooLong: false };
}

const IDENTITY = 0x82;
const PROTECTED = [KEY_REFERENCE.keyManagement, IDENTITY];
/** Instructions that no policy without `allow` lets through. */
const CHANGING = [
  0x24,
  0x2c,
  0xd6,
  0xda,
  0xdb,
  0xdc,
  0xe2,
  0x47,
  0xfe,
  0x82,
  0xff,
  0xfa,
  0xfb,
  0xf6,
];
const TRIES = [3, 2, 1, 0];

/**
 * One lease: the first byte is its way and the tries that the card tells; then commands, a byte of
 * length before each. The card says yes to all that reaches it.
 */
const policy: FuzzTarget = {
  name: "share_policy",
  seeds: [
    ["00", "00A4040009A00000030800001000", "0020008008 3132333435363738", "0087119A022400"],
    ["01", "00A4040009A00000030800001000", "0020008008 3132333435363738", "0087119D022400"],
    ["04", "0020008008 3132333435363738", "00200080", "00FB0000"],
    ["00", `00A404000A${STORED_VALUE_AID.toHex()}`, "8040000000", "8010000000", "0020008000"],
    ["02", "0187119A00", "1087119A0100", "1020008001 31", "0C20008000", "8020008001 31"],
    ["01", "00A4000C023F00", "00B0000000", "00CB3FFF035C017E00", "002A808602 0102", "00F70082"],
    ["06", "00870382 00", "0087039B00", "00F6829A", "00470082", "00", "00A4"],
  ].map(([first = "", ...commands]) =>
    join(
      hex(first),
      ...commands.map(hex).map((command) => join(Uint8Array.of(command.length), command)),
    )
  ),
  run(input) {
    const way: LeaseWay = ((input[0] ?? 0) & 1) === 0 ? "reader" : "program";
    const tries = TRIES[((input[0] ?? 0) >> 1) % TRIES.length] ?? 0;
    const lease = new ApduPolicy({
      ...{ way, allow: [], protectedKeys: PROTECTED, applications: SHARED_APPLICATIONS },
    });
    const audit = new LeaseAudit(SHARED_APPLICATIONS);
    const said: string[] = [];
    let selected: Uint8Array | undefined;
    for (let at = 1; at < input.length && said.length < 12;) {
      const length = input[at] ?? 0;
      const raw = input.slice(at + 1, at + 1 + length);
      at += 1 + length;
      const judged = lease.judge(raw);
      const passes = judged.verdict === "forward" || judged.verdict === "probe-first" &&
          lease.mayTry(judged.probe, tries === 0 ? SW.AUTH_METHOD_BLOCKED : 0x63c0 | tries);
      if (!passes) {
        audit.refused(raw);
        said.push(judged.verdict === "refuse" ? judged.sw.toString(16) : "kept");
        continue;
      }
      const apdu = parseCommand(raw);
      assert.ok(typeof apdu === "object", "nothing that is no command reaches the card");
      const { cla, ins, p1, p2, data } = apdu;
      const isPurse = selected !== undefined && startsWith(selected, STORED_VALUE_AID);
      const isOwn = (cla & 0xef) === 0;
      assert.ok(isOwn || isPurse, "no channel, no secure messaging");
      if (isOwn) {
        assert.ok(!CHANGING.includes(ins), "what changes the card");
        assert.ok(ins !== 0x87 || !PROTECTED.includes(p2), "a key that the session lives on");
        assert.ok(ins !== 0x87 || selected === undefined || startsWith(selected, PIV_AID_RID));
        if (ins === 0x20 && data.length > 0) {
          assert.ok(way === "reader" && tries > 1 && cla === 0, "a PIN, or a last try");
        }
      }
      audit.ran(raw);
      lease.answered(raw, SW.OK);
      if (ins === 0xa4 && p1 === 0x04) selected = data;
      said.push(`${isOwn ? ins.toString(16) : "own"}`);
    }
    const told = JSON.stringify([audit.commands, audit.refusals]);
    assert.ok(told.length < 2_000 && !told.includes("3132333435363738"), "names and counts");
    return `${way} ${Math.min(2, tries)} ${said.slice(0, 3)}`;
  },
};

function startsWith(aid: Uint8Array, head: Uint8Array): boolean {
  return aid.length >= 5 && aid.every((byte, at) => at >= head.length || byte === head[at]);
}

export const shareTargets: readonly FuzzTarget[] = [link, policy];
