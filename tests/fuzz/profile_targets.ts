/** What a profile is made of, from whoever can write a card, a stick or a hub's folder. */
import assert from "node:assert/strict";
import { sha256 } from "@noble/hashes/sha2.js";
import { decodeCarried, encodeCarried } from "../../token/profile/carried_head.ts";
import { readHeader } from "../../token/profile/age_header.ts";
import { isPasskeyName } from "../../token/profile/passkey_name.ts";
import { passkeysIn, withPasskeys } from "../../token/profile/passkeys.ts";
import { openContainer, recipientKinds } from "../../token/profile/container.ts";
import { readAgeIdentity } from "../../token/profile/age_identity.ts";
import { decodeFrame, encodeFrame } from "../../token/profile/frame.ts";
import { checkHead } from "../../token/profile/head.ts";
import { readIssuerKey } from "../../token/profile/issuer_key.ts";
import { signJson } from "../../token/profile/jws.ts";
import {
  LARGEST_CONTAINER,
  LONGEST_HEADER,
  MOST_CHUNKS,
  MOST_STANZAS,
} from "../../token/profile/limits.ts";
import { checkProfile, explainProfile } from "../../token/profile/profile.ts";
import { readRevocations } from "../../token/profile/revocations.ts";
import { readShareRecord } from "../../token/profile/share_record.ts";
import { formatWgQuick, parseWgQuick } from "../../token/profile/wg_quick.ts";
import { parseBundle } from "../../token/profile/bundle.ts";
import { parseCardFile } from "../../token/cli/card_file.ts";
import { parseCsv } from "../../token/cli/csv.ts";
import type { FuzzTarget } from "./target.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const KEY = new Uint8Array(32).fill(7).toBase64();
const B33 = new Uint8Array(33).fill(2).toBase64({ alphabet: "base64url" });
const B32 = new Uint8Array(32).fill(3).toBase64({ alphabet: "base64url", omitPadding: true });

/** An issuer whom the targets trust; its key is known to everybody. */
const issuer = await readIssuerKey(JSON.stringify({
  kty: "OKP",
  crv: "Ed25519",
  x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
  d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
}));
assert.ok(issuer);
const signer = issuer;
const issuerKeys = [signer.publicKey];

const HEAD = {
  v: 1,
  profileId: "p",
  cardId: "c",
  holder: "Hana",
  expiresAt: 2_000_000_000,
  generation: 5,
  inner: B32,
  sealedTo: { slot: 157, publicKey: B33 },
  split: { id: B32.slice(0, 22), hub: "hub.example:51821", hubKey: B32, proofSlot: 154 },
};
const PROFILE = {
  v: 1,
  id: "p",
  cardId: "c",
  generation: 5,
  issuedAt: 1_900_000_000,
  expiresAt: 2_000_000_000,
  user: { id: "u", name: "U" },
  clientId: "a",
  serverId: "h",
  identity: { kind: "sealed", publicKey: KEY },
  tunnel: { addresses: ["10.0.0.2/32"], dns: [] },
  server: { publicKey: KEY, endpoints: ["h.example:1"], hasPresharedKey: false },
  destinations: { networks: ["10.0.0.0/8"], domains: ["a.example"] },
  otherTraffic: "drop",
  inbound: ["tcp/8080-8081@10.0.0.0/8", "icmp@fd00::/8"],
  suite: "wireguard-1",
  recipients: [
    { kind: "card", name: "card", cardId: "c", slot: 157, publicKey: B33 },
    { kind: "recovery", name: "r", recipient: `age1${"q".repeat(58)}` },
  ],
};

/** Input: the JSON that a trusted issuer signs. The first byte chooses what it is to be. */
const signedJson: FuzzTarget = {
  name: "profile_signed_json",
  seeds: [
    HEAD,
    PROFILE,
    { v: 1, number: 3, issuedAt: 1, entries: [{ at: 1, reason: "lost", profile: "p" }] },
    { v: 1, number: 3, issuedAt: 1, entries: [{ at: 1, reason: "left", card: "c", upTo: 9 }] },
    {
      v: 1,
      id: B32.slice(0, 22),
      profileId: "p",
      cardId: "c",
      generation: 1,
      expiresAt: 2,
      clientId: "a",
      proofKey: B33,
      share: new Uint8Array(17).toBase64({ alphabet: "base64url", omitPadding: true }),
    },
  ].flatMap((value) => {
    return [0, 1, 2, 3].map((kind) => Uint8Array.from([kind, ...utf8(JSON.stringify(value))]));
  }),
  async run(input) {
    const json = text(input.subarray(1));
    const raw = (kind: Parameters<typeof signJson>[1]["kind"]) => signRaw(json, kind);
    switch ((input[0] ?? 0) & 3) {
      case 0: {
        const checked = await checkHead(await raw("sekisho-head"), {
          issuerKeys,
          cardId: "c",
          now: 1_950_000_000,
          highestGeneration: 3,
        });
        if (checked.result === "fault") return `head ${checked.fault}`;
        const { head } = checked;
        assert.ok(head.cardId === "c" && head.generation >= 3 && head.inner.length === 32);
        assert.ok(head.split === undefined || head.split.hubKey.length === 32);
        return `head ${checked.result} ${head.sealedTo !== undefined} ${head.split !== undefined}`;
      }
      case 1: {
        const value = parsed(json);
        const profile = checkProfile(value);
        if (typeof profile === "string") {
          const why = explainProfile(value);
          assert.ok(profile === "newer-version" || why !== undefined);
          return `profile ${profile} ${why?.split(":")[0]?.replace(/\d+/g, "N").slice(0, 60)}`;
        }
        return `profile ${profile.identity.kind} ${profile.otherTraffic}`;
      }
      case 2: {
        const list = await readRevocations(await raw("sekisho-revocations"), issuerKeys);
        if (typeof list === "string") return `list ${list}`;
        assert.ok(list.number >= 1);
        return `list ${list.entries.map((one) => "card" in one ? "c" : "p").join("").slice(0, 4)}`;
      }
      default: {
        const record = await readShareRecord(await raw("sekisho-share"), issuerKeys);
        if (typeof record === "string") return `share ${record}`;
        assert.ok(record.share.length === 17 && record.proofKey.length === 33);
        return "share";
      }
    }
  },
};

/** Input: the bytes of a head, a list or a record, as a stranger can write them. */
const jws: FuzzTarget = {
  name: "profile_jws",
  seeds: [
    await signJson(HEAD, { kind: "sekisho-head", issuer: signer }),
    await signJson(HEAD, { kind: "sekisho-settings", issuer: signer }),
    utf8("e30.e30." + "A".repeat(86)),
    utf8(`${"A".repeat(600)}.e30.${"A".repeat(86)}`),
    utf8("[[[["),
  ],
  async run(input) {
    const context = { issuerKeys, cardId: "c", now: 1, highestGeneration: 0 };
    const checked = await checkHead(input, context);
    const list = await readRevocations(input, issuerKeys);
    const record = await readShareRecord(input, issuerKeys);
    assert.ok(typeof list === "string" && typeof record === "string", "not of that kind");
    const verdict = checked.result === "fault" ? checked.fault : checked.result;
    const parts = Math.min(4, text(input).split(".").length);
    return `${verdict} ${list} ${record} ${parts}`;
  },
};

const carried: FuzzTarget = {
  name: "profile_carried_heads",
  seeds: [1, 8].map((chunks) =>
    encodeCarried({
      bank: 0,
      sequence: chunks,
      chunks,
      sealedLength: 900,
      sealedDigest: new Uint8Array(32),
      head: utf8("a.b.c"),
    })
  ).concat([new Uint8Array(0), utf8("SKSH"), Uint8Array.from([...utf8("SKSH"), 9, 1, 2])]),
  run(input) {
    // As it comes, and with a checksum that fits: that proves nothing.
    const end = Math.max(0, input.length - 8);
    const fitting = new Uint8Array(input.length);
    fitting.set(input.subarray(0, end));
    fitting.set(sha256(input.subarray(0, end)).subarray(0, input.length - end), end);
    return [input, fitting].map((bytes) => {
      const head = decodeCarried(bytes, 1);
      if (typeof head === "string") return head;
      assert.ok(head.chunks <= MOST_CHUNKS && head.sealedLength <= LARGEST_CONTAINER);
      assert.deepEqual(encodeCarried(head), bytes, "there and back");
      return `chunks ${head.chunks > 1}`;
    }).join(" ");
  },
};

const frames: FuzzTarget = {
  name: "profile_frames",
  seeds: [
    encodeFrame({ settings: utf8("{}"), secrets: new Uint8Array(0) }, new Uint8Array(16)),
    encodeFrame({ settings: utf8("{}"), secrets: new Uint8Array(64) }, new Uint8Array(16)),
    utf8("SKSO"),
    Uint8Array.from([...utf8("SKSO"), 2, ...new Uint8Array(40)]),
    Uint8Array.from([...utf8("SKSO"), 1, ...new Uint8Array(16), 255, 255, 255, 255, 0, 0]),
  ],
  run(input) {
    const frame = decodeFrame(input);
    if (typeof frame === "string") return `${frame} ${Math.min(6, input.length >> 2)}`;
    const { settings, secrets } = frame;
    assert.equal(4 + 1 + 16 + 4 + settings.length + 2 + secrets.length, input.length);
    assert.deepEqual(encodeFrame(frame, input.slice(5, 21)), input);
    return `${Math.min(3, settings.length)} ${secrets.length >> 5}`;
  },
};

/** One of two identities that the container in the seeds is sealed to; it guards nothing else. */
const IDENTITY = "AGE-SECRET-KEY-1FM375ZKTT7GXWX9CP30MYVHY59XUJ95HGLFAA0AFFSXMXTS07WPQCHFJ8H";
const SEALED = Uint8Array.fromBase64(
  "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBaeWRvaWdNN2pKRmh1b0V5R0M2YVZxTmN3YjIvWFYv" +
    "Ymk1d1VxS1VDRldRCjJCeFJBSmo2cEM0bENqTDR1djg4dFd5bkI1TUhzSk1EUWlzNFEvb0VnTXcKLT4gWDI1" +
    "NTE5IDNrVG5WUFRyd1ZRMEZHZ0pxVkNrOTdLV0R3dnc2Y1YrSW9HR1BDOTlqMU0KUTFjVVNLT00wNWFQei9x" +
    "L2ZDdXdsTEpYT3QrUy9xaS92MzlnSWtpNkpTNAotLS0gUEhjb0tabW1aOVVoOUFnNHFkVVYzRmVOV2pKSm5m" +
    "VGNxZWRzVWFsemkvVQpxBgm7U7dkW6AWjFX03Ui1LnZEZsAHROUS8sjwr/glZ7XWVJsPllgF",
);
const own = await readAgeIdentity(utf8(IDENTITY));
assert.ok(typeof own === "object");
const identity = own;

const KINDS = ["X25519", "scrypt", "piv-p256", "sekisho-split", "age-encryption.org/fido2prf"];

const NONCE = new Uint8Array(16);
const WITH_PASSKEYS = withPasskeys(SEALED, {
  passkeys: [{ name: "phone", body: new Uint8Array(32) }, {
    name: "鍵",
    body: new Uint8Array(32).fill(1),
  }],
  nonce: NONCE,
  fileKey: NONCE,
});

const containers: FuzzTarget = {
  name: "profile_containers",
  seeds: [
    SEALED,
    WITH_PASSKEYS,
    utf8("age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 30\nAAAA\n--- AAAA\n12345678"),
    utf8(`age-encryption.org/v1\n${"-> X25519 AAAA\nAAAA\n".repeat(30)}--- AAAA\n`),
    utf8("age-encryption.org/v1\n-> piv-p256 AAAAAA AAAA\nAAAA\n--- AAAA\n" + "x".repeat(64)),
    new Uint8Array(0),
  ],
  async run(input) {
    let asked = 0;
    const opened = await openContainer(input, {
      unwrapFileKey(stanzas) {
        asked = stanzas.length;
        return identity.unwrapFileKey(stanzas);
      },
    });
    const parts = readHeader(input);
    for (const { name, body } of passkeysIn(input, NONCE)) {
      assert.ok(isPasskeyName(name) && body.length === 32, "as a page may show it");
    }
    if (typeof opened === "object") {
      assert.ok(parts, "what opens can be taken apart");
      assert.equal(text(opened.plaintext), "settings", "nobody has sealed anything else");
      return "opened";
    }
    const kinds = recipientKinds(input);
    assert.ok(asked <= MOST_STANZAS && (kinds?.length ?? 0) <= MOST_STANZAS);
    assert.ok(kinds === undefined || input.indexOf(0x0a) < LONGEST_HEADER);
    const known = (kind: string) => KINDS.includes(kind) ? kind : "other";
    assert.ok((parts?.stanzas.length ?? 0) <= MOST_STANZAS);
    return `${opened} ${parts !== undefined} ${asked > 0} ${kinds?.slice(0, 2).map(known).join()}`;
  },
};

const stationFiles: FuzzTarget = {
  name: "station_files",
  seeds: [
    `[Interface]\nPrivateKey = ${KEY}\nAddress = 10.0.0.2\nDNS=1.1.1.1, x.y\n[Peer]\n` +
    `PublicKey=${KEY}\nEndpoint=h:1\nAllowedIPs=::/0\nPersistentKeepalive=off\n`,
    `[Interface]\nPostUp = x\n[Peer]\n[Peer]\n`,
    `client_id,psk\r\n"a ""b""",yes\r\n"two\nlines",no\r\n`,
    `a,b\n"open`,
    JSON.stringify({ sekisho: "profile", v: 1, heads: ["a.b.c"], sealed: "AAAA" }),
    JSON.stringify({ sekisho: "card-key", v: 1, card: "c", slot: 157, publicKey: B33 }),
  ].map(utf8),
  run(input) {
    const file = text(input);
    const words: string[] = [];
    const conf = parseWgQuick(file);
    if (conf.ok) {
      assert.deepEqual(parseWgQuick(formatWgQuick(conf.config)), { ...conf, warnings: [] });
      words.push(`conf ${Object.keys(conf.config).length} ${Math.min(3, conf.warnings.length)}`);
    } else words.push(conf.problem.replace(/\d+/g, "N").slice(0, 40));
    const csv = parseCsv(file);
    if (csv.ok) {
      const lines = csv.rows.map(({ line }) => line);
      assert.deepEqual(lines, lines.toSorted((a, b) => a - b));
      words.push(`csv ${Math.min(3, csv.rows.length)}`);
    } else words.push(csv.problem);
    const bundle = parseBundle(file);
    assert.ok(bundle === undefined || bundle.sealed.length <= LARGEST_CONTAINER);
    const card = parseCardFile(file);
    words.push(`${bundle !== undefined} ${card !== undefined}`);
    return words.join(" | ");
  },
};

export const profileTargets: readonly FuzzTarget[] = [
  ...[signedJson, jws, carried, frames, containers, stationFiles],
];

/** Signs what a text says; what is no JSON is signed as a text. */
function signRaw(
  json: string,
  kind: Parameters<typeof signJson>[1]["kind"],
): Promise<Uint8Array> {
  return signJson(parsed(json) ?? json, { kind, issuer: signer });
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
