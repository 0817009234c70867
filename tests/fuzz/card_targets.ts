/** What cards answer: APDUs, TLV, data objects, public keys, and whole conversations with a client. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type CardChannel, CardGarbledError, CardRefusedError } from "../../token/apdu/channel.ts";
import { chain, encodeCommand, parseCommand } from "../../token/apdu/command.ts";
import { encodeResponse, parseResponse } from "../../token/apdu/response.ts";
import { concat, encodeTlv, parseTlvs, readTlv } from "../../token/apdu/tlv.ts";
import { parseApplicationData, parseKeyAttributes } from "../../token/openpgp/application_data.ts";
import { parseCardholder } from "../../token/openpgp/cardholder.ts";
import { OpenPgpClient } from "../../token/openpgp/client.ts";
import { PRIVATE_OBJECT } from "../../token/openpgp/constants.ts";
import { MOST_HASHED, parseKeyDerivation } from "../../token/openpgp/key_derivation.ts";
import { certificateFacts } from "../../token/piv/certificate_facts.ts";
import { PivClient } from "../../token/piv/client.ts";
import { PIV_ALGORITHM } from "../../token/piv/constants.ts";
import { parseApplicationTemplate } from "../../token/piv/objects/application_template.ts";
import { parseCapabilityContainer } from "../../token/piv/objects/capability_container.ts";
import { parseCardHolderId } from "../../token/piv/objects/card_holder_id.ts";
import { LARGEST_CERTIFICATE, parseCertificate } from "../../token/piv/objects/certificate.ts";
import { parseDiscovery } from "../../token/piv/objects/discovery.ts";
import { parseKeyHistory } from "../../token/piv/objects/key_history.ts";
import { publicKeyOfSpki, verifyingKey } from "../../token/piv/public_key.ts";
import type { FuzzTarget } from "./target.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const bytes = (text: string) => new TextEncoder().encode(text);

const apdus: FuzzTarget = {
  name: "apdus",
  seeds: [
    "00A40400",
    "00A4040005",
    "00A4040002AABB",
    "00A4040002AABB00",
    "00A40400000100",
    "00A40400000002AABB",
    "00A40400000002AABB0000",
    "00CB3FFF035C017E00",
    "6110",
    "01029000",
  ].map(hex),
  run(input) {
    const response = parseResponse(input);
    if (response !== undefined) {
      assert.deepEqual(encodeResponse(response.sw, response.data), input, "an answer has one form");
    }
    const parsed = parseCommand(input);
    if (typeof parsed === "string") return `${parsed} ${input.length > 7}`;
    assert.deepEqual(encodeCommand(parsed), input, "a command has one form");
    const parts = chain(parsed);
    assert.deepEqual(concat(...parts.map(({ data }) => data)), parsed.data, "no byte is lost");
    assert.ok(parts.every(({ data, extended }) => data.length <= 255 && !extended));
    assert.ok(parts.slice(0, -1).every(({ cla }) => (cla & 0x10) !== 0));
    const { data, ne, extended } = parsed;
    const length = ne === 0 ? "none" : ne > 256 ? "long" : "short";
    return `${data.length > 0} ${length} ${extended} ${Math.min(3, parts.length)}`;
  },
};

const tlv: FuzzTarget = {
  name: "tlv",
  seeds: [
    "5300",
    "5C035FC102",
    "7C04 8102AABB",
    "7F49 06 8604 01020304",
    "53 81 80" + "00".repeat(128),
    "53 82 0100" + "11".repeat(256),
    "53 80 0000",
    "53 83 000001 01",
    "5FFFFF01 00",
    "7E12 4F0BA000000308000010000100 5F2F024000",
  ].map(hex),
  run(input) {
    const list = parseTlvs(input);
    const first = readTlv(input, 0);
    if (first !== undefined) assert.ok(first.end <= input.length && first.value.length < first.end);
    if (list === undefined) return `refused ${first !== undefined}`;
    const written = concat(...list.map(({ tag, value }) => encodeTlv(tag, value)));
    assert.ok(written.length <= input.length, "the shortest form is not longer");
    assert.deepEqual(parseTlvs(written), list, "there and back");
    const longest = Math.max(0, ...list.map(({ value }) => value.length));
    const tags = Math.max(0, ...list.map(({ tag }) => tag.toString(16).length));
    const size = longest < 128 ? "small" : longest < 256 ? "middle" : "large";
    return [
      Math.min(4, list.length),
      Math.min(4, depthOf(input, 0)),
      tags,
      size,
      written.length === input.length,
    ].join(" ");
  },
};

/** How deep a reader gets that takes every value for more objects. */
function depthOf(input: Uint8Array, depth: number): number {
  const list = depth > 64 || input.length === 0 ? undefined : parseTlvs(input);
  if (list === undefined || list.length === 0) return depth;
  return Math.max(...list.map(({ value }) => depthOf(value, depth + 1)));
}

/** A parser, and what holds of whatever it takes; `undefined`: it refused. */
interface Parser {
  readonly name: string;
  run(content: Uint8Array): string | undefined;
}

const isShown = (text: string) => text.length <= 128 && !/\p{C}/u.test(text);

const PIV_PARSERS: readonly Parser[] = [
  {
    name: "template",
    run(content) {
      const found = parseApplicationTemplate(content);
      if (found === undefined) return undefined;
      assert.ok(isShown(found.label) && isShown(found.url));
      const count = Math.min(3, found.algorithms?.length ?? -1);
      return `${found.label !== ""} ${found.url !== ""} ${count}`;
    },
  },
  {
    name: "discovery",
    run(content) {
      const found = parseDiscovery(content);
      return found && `${found.primary} ${Object.values(found.accepts).join()}`;
    },
  },
  {
    name: "chuid",
    run(content) {
      const found = parseCardHolderId(content);
      if (found === undefined) return undefined;
      assert.ok(found.guid === undefined || found.guid.length === 16);
      assert.match(found.expires, /^(\d{8})?$/);
      const { guid, fascN, holderUuid, expires, hasSignature } = found;
      const there = [guid, fascN, holderUuid].map((one) => one !== undefined).join();
      return `${there} ${expires !== ""} ${hasSignature}`;
    },
  },
  {
    name: "container",
    run(content) {
      const found = parseCapabilityContainer(content);
      return found && `${found.cardIdentifier !== undefined} ${found.dataModel !== undefined}`;
    },
  },
  {
    name: "history",
    run(content) {
      const found = parseKeyHistory(content);
      if (found === undefined) return undefined;
      assert.ok(found.withCertificate + found.withoutCertificate <= 20 && isShown(found.url));
      return `${found.withCertificate > 0} ${found.withoutCertificate > 0} ${found.url !== ""}`;
    },
  },
  {
    name: "certificate",
    run(content) {
      const found = parseCertificate(content);
      if (found.result === "fault") return found.fault;
      assert.ok(found.der.length <= LARGEST_CERTIFICATE);
      certificateFacts(found.der);
      return `ok ${found.compressed}`;
    },
  },
];

const OPENPGP_PARSERS: readonly Parser[] = [
  {
    name: "application",
    run(content) {
      const found = parseApplicationData(content);
      if (found === undefined) return undefined;
      assert.match(found.id.serial, /^[0-9a-f]{8}$/);
      const kinds = [found.signature, found.decryption, found.authentication]
        .map(({ kind }) => kind).join();
      return `${kinds} ${found.hasDecryptionKey} ${found.capabilities.keyDerivation}`;
    },
  },
  {
    name: "cardholder",
    run(content) {
      const found = parseCardholder(content);
      if (found === undefined) return undefined;
      assert.ok(isShown(found.name) && found.languages.every((one) => /^[a-z]{2}$/.test(one)));
      return `${found.display !== ""} ${Math.min(2, found.languages.length)}`;
    },
  },
  {
    name: "derivation",
    run(content) {
      const found = parseKeyDerivation(content);
      if (found?.kind !== "iterated") return found?.kind;
      assert.ok(found.count <= MOST_HASHED);
      return found.hash;
    },
  },
  {
    name: "attributes",
    run(content) {
      const found = parseKeyAttributes(content);
      return "curve" in found ? `${found.kind} ${found.curve}` : found.kind;
    },
  },
];

/** The first byte chooses the parser. */
function objectsTarget(
  name: string,
  { parsers, seeds }: { parsers: readonly Parser[]; seeds: readonly Uint8Array[] },
): FuzzTarget {
  return {
    name,
    seeds,
    run(input) {
      const parser = parsers[(input[0] ?? 0) % parsers.length];
      if (parser === undefined) return "none";
      return `${parser.name} ${parser.run(input.slice(1)) ?? "refused"}`;
    },
  };
}

const CERTIFICATE = encodeTlv(0x30, new Uint8Array(40).fill(7));
const pivObjects = objectsTarget("piv_objects", {
  parsers: PIV_PARSERS,
  seeds: [
    hex("00 6120 4F06000010000100 500454455354 AC09 800107 800111 060100 5F5003682F78"),
    hex("00 6111 4F06000010000100 79074F05A000000308"),
    hex("01 7E12 4F0BA000000308000010000100 5F2F026020"),
    hex("01 7E12 4F0BA000000308000010000100 5F2F024000"),
    hex(`02 3019${"d4".repeat(25)} 3410${"a5".repeat(16)} 35083230333031323331 3E00 FE00`),
    hex(`02 3410${"00".repeat(16)} 3610${"b6".repeat(16)} 3E0101`),
    hex(`03 F015${"f0".repeat(21)} F50110 FE00`),
    hex("04 C10102 C20101 F303612F62 FE00"),
    concat(hex("05"), encodeTlv(0x70, CERTIFICATE), hex("710100FE00")),
    concat(hex("05"), encodeTlv(0x70, gzipSync(CERTIFICATE)), hex("710101FE00")),
    concat(hex("05"), encodeTlv(0x70, gzipSync(new Uint8Array(20_000))), hex("710101FE00")),
  ],
});

const DETAILS = concat(
  encodeTlv(0xc0, hex("7D000BFE080000FF0000")),
  encodeTlv(0xc1, hex("162B06010401DA470F01")),
  encodeTlv(0xc2, hex("122B060104019755010501")),
  encodeTlv(0xc3, hex("010800001100")),
  encodeTlv(0xc4, hex("007F7F7F030003")),
  encodeTlv(0xc5, new Uint8Array(60)),
);
const APPLICATION = encodeTlv(
  0x6e,
  concat(encodeTlv(0x4f, hex("D2760001240103040006123456780000")), encodeTlv(0x73, DETAILS)),
);
const openpgpObjects = objectsTarget("openpgp_objects", {
  parsers: OPENPGP_PARSERS,
  seeds: [
    concat(hex("00"), APPLICATION),
    concat(hex("01"), encodeTlv(0x65, hex("5B08446F653C3C4A616E 5F2D046A61656E 5F350132"))),
    hex("02 810103 820108 830400030D40 84083031323334353637"),
    hex("02 810103 82010A 830400030D40 84083031323334353637 86083031323334353637"),
    hex("02 810100"),
    hex("03 122B656E"),
    hex("03 132A8648CE3D030107FF"),
    hex("03 0108000011"),
  ],
});

const spki = (key: { export(options: { format: "der"; type: "spki" }): Uint8Array }) =>
  new Uint8Array(key.export({ format: "der", type: "spki" }));
const publicKeys: FuzzTarget = {
  name: "public_keys",
  seeds: [
    spki(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey),
    spki(generateKeyPairSync("ed25519").publicKey),
    spki(generateKeyPairSync("x25519").publicKey),
    spki(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey),
  ],
  run(input) {
    const found = publicKeyOfSpki(input);
    certificateFacts(Uint8Array.from(input));
    if (found === undefined) return `refused ${input.length > 100}`;
    const lengths: Partial<Record<number, number>> = {
      [PIV_ALGORITHM.eccP256]: 65,
      [PIV_ALGORITHM.ed25519]: 32,
      [PIV_ALGORITHM.x25519]: 32,
    };
    const length = lengths[found.algorithm];
    if (length !== undefined) assert.equal(found.publicKey.length, length);
    return `${found.algorithm} ${verifyingKey(found) !== undefined}`;
  },
};

/** More commands than any of these uses needs, also with every answer in the most pieces. */
const MOST_COMMANDS = 700;
const PIN = "123456";
const POINT = new Uint8Array(32).fill(9);

const USES: readonly { name: string; run(channel: CardChannel): Promise<unknown> }[] = [
  { name: "select", run: (card) => new PivClient(card).select() },
  { name: "id", run: (card) => new PivClient(card).cardId() },
  { name: "object", run: (card) => new PivClient(card).getObject(0x5f4000) },
  { name: "pin", run: (card) => new PivClient(card).verifyPin(bytes(PIN)) },
  { name: "status", run: (card) => new PivClient(card).pinStatus() },
  { name: "metadata", run: (card) => new PivClient(card).metadata(0x9d) },
  { name: "certificate", run: (card) => new PivClient(card).certificate(0x9a) },
  {
    name: "generate",
    run: (card) => new PivClient(card).generateKey(0x9d, { algorithm: PIV_ALGORITHM.eccP256 }),
  },
  {
    name: "agree",
    run: (card) => {
      return new PivClient(card).agree(0x82, { algorithm: PIV_ALGORITHM.x25519, peer: POINT });
    },
  },
  { name: "openpgp data", run: (card) => new OpenPgpClient(card).applicationData() },
  { name: "openpgp pin", run: (card) => new OpenPgpClient(card).verifyPin(bytes(PIN)) },
  { name: "openpgp agree", run: (card) => new OpenPgpClient(card).agree({ peer: POINT }) },
  {
    name: "openpgp object",
    run: (card) => new OpenPgpClient(card).privateObject(PRIVATE_OBJECT.third),
  },
];

/** A conversation: a byte that chooses the use, then answers, each after two bytes of length. */
function conversation(use: number, ...answers: readonly string[]): Uint8Array {
  const parts = answers.map(hex).map((answer) =>
    concat(Uint8Array.of(answer.length >> 8, answer.length & 0xff), answer)
  );
  return concat(Uint8Array.of(use), ...parts);
}

const conversations: FuzzTarget = {
  name: "card_conversations",
  seeds: [
    conversation(0, "61114F0600001000010079074F05A0000003089000"),
    conversation(1, `53123410${"a5".repeat(16)}9000`),
    conversation(2, "5303616110", "6263649000"),
    conversation(3, "7E124F0BA0000003080000100001005F2F0260209000", "63C2"),
    conversation(3, "6A82", "6A80", "9000", "63C3"),
    conversation(4, "6A82", "63C1"),
    conversation(5, "01011102020201030101049000"),
    conversation(6, "5307700330010171010000FE009000"),
    conversation(7, `7F49438641${"04".repeat(65)}9000`),
    conversation(8, `7C228220${"05".repeat(32)}9000`),
    conversation(9, `${APPLICATION.toHex()}9000`),
    conversation(10, `${APPLICATION.toHex()}9000`, "8101009000", "6982", "007F7F7F0200039000"),
    conversation(11, `${"06".repeat(32)}9000`),
    conversation(12, "0102039000"),
    conversation(2, "6C05", "6C05"),
  ],
  async run(input) {
    const use = USES[(input[0] ?? 0) % USES.length];
    if (use === undefined) return "none";
    const sent: Uint8Array[] = [];
    let at = 1;
    const card: CardChannel = {
      transmit(raw) {
        sent.push(raw);
        assert.ok(sent.length < MOST_COMMANDS, "the conversation ends");
        const length = ((input[at] ?? 0) << 8) | (input[at + 1] ?? 0);
        const answer = input.slice(at + 2, at + 2 + length);
        at += 2 + length;
        return Promise.resolve(at > input.length + 2 ? hex("6F00") : answer);
      },
    };
    let outcome: string;
    try {
      outcome = shapeOf(await use.run(card));
    } catch (error) {
      const isOwn = error instanceof CardGarbledError || error instanceof CardRefusedError;
      if (!isOwn) throw error;
      outcome = error instanceof CardRefusedError ? "refused" : error.message.slice(0, 60);
    }
    assert.ok(sent.every((raw) => raw.every((byte) => byte === 0)), "what was sent is wiped");
    return `${use.name} ${Math.min(5, sent.length)} ${outcome}`;
  },
};

function shapeOf(value: unknown): string {
  if (value instanceof Uint8Array) return `bytes ${Math.min(5, value.length)}`;
  if (typeof value === "object" && value !== null) {
    const { outcome, state, result } = value as Record<string, unknown>;
    return String(outcome ?? state ?? result ?? "object");
  }
  return typeof value === "string" ? "string" : String(value);
}

export const cardTargets: readonly FuzzTarget[] = [
  apdus,
  tlv,
  pivObjects,
  openpgpObjects,
  publicKeys,
  conversations,
];
