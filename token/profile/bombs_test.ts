/** Profiles made to exhaust whoever looks at them: refused by stated limits before the work is done. */
import assert from "node:assert/strict";
import { makeSample, PIN } from "../../tests/token/sample.ts";
import { parseBundle } from "./bundle.ts";
import { CSV_LIMITS, parseCsv } from "../cli/csv.ts";
import type { PivClient } from "../piv/client.ts";
import { makePasswordIdentity, readAgeIdentity } from "./age_identity.ts";
import { decodeCarried } from "./carried_head.ts";
import { readHead, readSealed } from "./carrier.ts";
import { openContainer, recipientKinds, sealContainer } from "./container.ts";
import { decodeFrame } from "./frame.ts";
import { checkHead } from "./head.ts";
import { signJson, verifyJson } from "./jws.ts";
import {
  DEEPEST_JSON,
  LARGEST_CONTAINER,
  LONGEST_HEAD,
  LONGEST_HEADER,
  LONGEST_JWS_HEADER,
  LONGEST_REVOCATIONS,
  MOST_STANZAS,
} from "./limits.ts";
import { pivIdentity, pivRecipient } from "./piv_p256.ts";
import { passwordIdentity, passwordRecipient } from "./password.ts";
import { readRevocations } from "./revocations.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const latin1 = (text: string) => Uint8Array.from(text, (one) => one.charCodeAt(0));
const sample = await makeSample();
const issuerKeys = [sample.issuer.publicKey];
const context = { issuerKeys, cardId: sample.cardId, now: 0, highestGeneration: 0 };

Deno.test("bomb: scrypt's work factor, in a container and in an identity file", async () => {
  const sealed = await sealContainer(utf8("x"), [passwordRecipient(utf8("p"), { workFactor: 4 })]);
  const { file } = await makePasswordIdentity(utf8("p"), { workFactor: 4 });
  const loaded = (bytes: Uint8Array, factor: number) =>
    latin1(new TextDecoder("latin1").decode(bytes).replace(/^(-> scrypt \S+) 4$/m, `$1 ${factor}`));
  // 2^30 would take 1 TiB: that this comes back at all is the proof.
  for (const factor of [20, 22, 30, 63]) {
    const bomb = loaded(sealed, factor);
    assert.equal(await openContainer(bomb, passwordIdentity(utf8("p"))), "damaged");
    assert.equal(await readAgeIdentity(loaded(file, factor), utf8("p")), "no-identity");
  }
});

Deno.test("bomb: more recipients than anybody has", async () => {
  const stanza = "-> X25519 AAAA\nAAAA\n";
  const header = (count: number) => `age-encryption.org/v1\n${stanza.repeat(count)}--- AAAA\n`;
  let asked = 0;
  const identity = { unwrapFileKey: () => (asked++, Promise.resolve(null)) };
  const body = "x".repeat(64);
  await openContainer(latin1(header(MOST_STANZAS) + body), identity);
  assert.equal(asked, 1, "the most that is looked at");
  assert.equal(await openContainer(latin1(header(MOST_STANZAS + 1) + body), identity), "damaged");
  const long = `age-encryption.org/v1\n-> X25519 ${"A".repeat(LONGEST_HEADER)}\nAAAA\n--- AAAA\n`;
  assert.equal(await openContainer(latin1(long + body), identity), "damaged");
  assert.equal(recipientKinds(latin1(long + body)), undefined);
  assert.equal(asked, 1, "nobody was asked for a key");
});

Deno.test("bomb: a card is asked for four operations at most", async () => {
  await sample.piv.verifyPin(PIN);
  const { publicKey } = sample.sealedTo;
  const sealed = await sealContainer(utf8("x"), [pivRecipient(publicKey)]);
  const text = new TextDecoder("latin1").decode(sealed);
  const [own = ""] = /^-> piv-p256 .*\n.*\n/m.exec(text) ?? [];
  const spoilt = own.replace(/\n(.)/, (_all, first) => `\n${first === "A" ? "B" : "A"}`);
  const bomb = text.replace(own, spoilt.repeat(16));
  let asked = 0;
  const card = {
    agree(...args: Parameters<PivClient["agree"]>) {
      asked++;
      return sample.piv.agree(...args);
    },
  };
  assert.equal(await openContainer(latin1(bomb), pivIdentity(card, sample.sealedTo)), "damaged");
  assert.equal(asked, 4);
});

Deno.test("bomb: heads that are huge, and chunks without number", async () => {
  assert.deepEqual(await checkHead(new Uint8Array(LONGEST_HEAD + 1).fill(0x41), context), {
    result: "fault",
    fault: "damaged",
  });
  const header = utf8(JSON.stringify({ alg: "EdDSA", x: "y".repeat(LONGEST_JWS_HEADER) }))
    .toBase64({ alphabet: "base64url", omitPadding: true });
  const jws = `${header}.e30.${"A".repeat(86)}`;
  assert.equal(
    await verifyJson(utf8(jws), { kind: "sekisho-head", issuerKeys, longest: 1e6 }),
    "damaged",
  );
  // A carried head that promises 255 chunks, or four gigabytes: refused as it stands.
  const { sha256 } = await import("@noble/hashes/sha2.js");
  for (
    const [chunks, length] of [[255, 100], [9, 100], [1, 0xffffffff], [8, LARGEST_CONTAINER + 1]]
  ) {
    const body = new Uint8Array(46 + 5);
    body.set(utf8("SKSH"));
    body[4] = 1;
    body[9] = chunks ?? 0;
    new DataView(body.buffer).setUint32(10, length ?? 0);
    const whole = new Uint8Array([...body, ...sha256(body).subarray(0, 8)]);
    assert.equal(decodeCarried(whole, 0), "damaged", `${chunks} ${length}`);
    const reads: number[] = [];
    const card = {
      getObject: (tag: number) => (reads.push(tag), Promise.resolve(whole)),
      putObject: () => Promise.reject(new Error("only read")),
    };
    assert.deepEqual(await readHead(card), { result: "fault", fault: "damaged" });
    assert.equal(reads.length, 2, "no chunk was asked for");
  }
  // Chunks that are longer than the head says are not gathered.
  const gathered = await readSealed({
    getObject: () => Promise.resolve(new Uint8Array(3000)),
    putObject: () => Promise.reject(new Error("only read")),
  }, {
    ...{ bank: 0, sequence: 1, chunks: 8, sealedLength: 10 },
    ...{ sealedDigest: new Uint8Array(32), head: new Uint8Array(1) },
  });
  assert.equal(gathered, undefined);
});

Deno.test("bomb: JSON deeper than anything honest, even when its issuer signed it", async () => {
  const nested = (depth: number): unknown => depth === 0 ? 1 : [nested(depth - 1)];
  for (
    const [depth, expected] of [[DEEPEST_JSON, "object"], [DEEPEST_JSON + 1, "string"]] as const
  ) {
    const bytes = await signJson(nested(depth), { kind: "sekisho-head", issuer: sample.issuer });
    const verified = await verifyJson(bytes, { kind: "sekisho-head", issuerKeys, longest: 1e5 });
    assert.equal(typeof verified, expected, `depth ${depth}`);
  }
  const brackets = await signJson({ text: `"[[${"[".repeat(100)}\\"{` }, {
    kind: "sekisho-head",
    issuer: sample.issuer,
  });
  const verified = await verifyJson(brackets, { kind: "sekisho-head", issuerKeys, longest: 1e5 });
  assert.equal(typeof verified, "object", "brackets within a text are no depth");
});

Deno.test("bomb: lengths that lie, and files without end", async () => {
  const frame = new Uint8Array(64);
  frame.set(utf8("SKSO"));
  frame[4] = 1;
  new DataView(frame.buffer).setUint32(21, 0xffffffff);
  assert.equal(decodeFrame(frame), "damaged");
  const endless = new Uint8Array(LONGEST_REVOCATIONS + 10).fill(0x41);
  assert.equal(await readRevocations(endless, issuerKeys), "damaged");
  assert.equal(parseBundle("{".repeat(70_000)), undefined);
  assert.equal(parseCsv("a".repeat(CSV_LIMITS.bytes + 1)).ok, false);
  assert.equal(parseCsv("a\n".repeat(CSV_LIMITS.rows + 2)).ok, false);
  assert.equal(parseCsv(",".repeat(CSV_LIMITS.columns + 1)).ok, false);
  assert.equal(parseCsv(`"${"x".repeat(CSV_LIMITS.value + 1)}"`).ok, false);
});
