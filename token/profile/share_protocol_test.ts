import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { x25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import {
  ANSWER_BYTES,
  CHALLENGE_BYTES,
  hubShareKey,
  makeShareRequest,
  readShareRequest,
  REQUEST_BYTES,
  SHARE_REFUSALS,
  type ShareAnswer,
} from "./share_protocol.ts";
import { SHARE_BYTES, SHARE_ID_BYTES } from "./split.ts";

const random = (count: number) => new Uint8Array(randomBytes(count));
const hubSecret = random(32);
const hubKey = x25519.getPublicKey(hubSecret);
const key = await hubShareKey(hubSecret, hubKey);
const cardSecret = p256.utils.randomSecretKey();
const proofKey = p256.getPublicKey(cardSecret, true);
const id = random(SHARE_ID_BYTES);
const sign = (digest: Uint8Array) =>
  Promise.resolve(p256.sign(digest, cardSecret, { prehash: false, format: "der" }));

Deno.test("a card that proves itself gets its share, and every refusal comes through", async () => {
  const answers: ShareAnswer[] = [
    { granted: true, share: random(SHARE_BYTES) },
    ...SHARE_REFUSALS.map((why): ShareAnswer => ({ granted: false, why })),
  ];
  for (const answer of answers) {
    const { request, received } = await exchange();
    assert.deepEqual(received.id, id);
    assert.ok(received.isProvenBy(proofKey));
    const bytes = await received.answer(answer);
    assert.equal(bytes.length, ANSWER_BYTES, "all answers look alike");
    assert.deepEqual(await request.open(bytes), answer);
  }
});

Deno.test("another card's signature, and one over anything else, prove nothing", async () => {
  const other = p256.utils.randomSecretKey();
  const { received } = await exchange();
  assert.ok(!received.isProvenBy(p256.getPublicKey(other, true)));
  assert.ok(!received.isProvenBy(new Uint8Array(33)));
  const lies = [
    (digest: Uint8Array) => sign(digest.with(0, (digest[0] ?? 0) ^ 1)),
    () => Promise.resolve(new Uint8Array(0)),
    () => Promise.resolve(new Uint8Array(72).fill(0x30)),
  ];
  for (const lie of lies) {
    const { received } = await exchange(lie);
    assert.ok(!received.isProvenBy(proofKey));
  }
});

Deno.test("a request is for one challenge and one hub", async () => {
  const { bytes, challenge } = await exchange();
  const again = await readShareRequest(bytes, { key, challenge: random(CHALLENGE_BYTES) });
  assert.equal(again, undefined, "recorded, it is of no use at the next challenge");
  const otherSecret = random(32);
  const otherHub = await hubShareKey(otherSecret, x25519.getPublicKey(otherSecret));
  assert.equal(await readShareRequest(bytes, { key: otherHub, challenge }), undefined);
});

Deno.test("an answer is for one request", async () => {
  const first = await exchange();
  const second = await exchange();
  const answer = await first.received.answer({ granted: false, why: "revoked" });
  assert.equal(await second.request.open(answer), undefined);
});

Deno.test("nobody who lacks the hub's key can answer in its place", async () => {
  // He knows the card's every byte on the wire, but not what is sealed in it.
  const { request } = await exchange();
  const stranger = await exchange();
  const forged = await stranger.received.answer({ granted: true, share: random(SHARE_BYTES) });
  assert.equal(await request.open(forged), undefined);
  assert.equal(await request.open(random(ANSWER_BYTES)), undefined);
});

Deno.test("with any byte changed, neither a request nor an answer is taken", async () => {
  const { bytes, challenge, request, received } = await exchange();
  for (let at = 0; at < bytes.length; at += 5) {
    const changed = bytes.with(at, (bytes[at] ?? 0) ^ 0x40);
    assert.equal(await readShareRequest(changed, { key, challenge }), undefined, `byte ${at}`);
  }
  const answer = await received.answer({ granted: true, share: random(SHARE_BYTES) });
  assert.equal(await request.open(answer.with(40, (answer[40] ?? 0) ^ 1)), undefined);
});

Deno.test("whatever bytes come, there is a verdict", async () => {
  const challenge = random(CHALLENGE_BYTES);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: REQUEST_BYTES + 2 }), async (bytes) => {
      assert.equal(await readShareRequest(bytes, { key, challenge }), undefined);
    }),
    { numRuns: 50 },
  );
});

async function exchange(signer = sign) {
  const challenge = random(CHALLENGE_BYTES);
  const request = await makeShareRequest({
    challenge,
    id,
    hubKey,
    secret: random(32),
    sign: signer,
  });
  assert.equal(request.bytes.length, REQUEST_BYTES);
  const received = await readShareRequest(request.bytes, { key, challenge });
  assert.ok(received);
  return { challenge, request, bytes: request.bytes, received };
}
