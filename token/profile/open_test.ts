import assert from "node:assert/strict";
import fc from "fast-check";
import { administer, makeIssuer, makeSample, PIN, type Sample } from "../../tests/token/sample.ts";
import { SecretMemory } from "../../os/secret_memory.ts";
import { CardGoneError } from "../apdu/channel.ts";
import { PIV_ALGORITHM } from "../piv/constants.ts";
import { checkHead } from "./head.ts";
import { signJson } from "./jws.ts";
import { openProfile } from "./open.ts";
import { compressPoint, pivIdentity } from "./piv_p256.ts";
import { type SealedProfile, sealProfile } from "./seal.ts";
import type { HeadContext, ProfileHead } from "./types.ts";

const sample = await makeSample();
const sealed = await seal(sample);
const context: HeadContext = {
  issuerKeys: [sample.issuer.publicKey],
  cardId: sample.cardId,
  now: 1_850_000_000,
  highestGeneration: 5,
};

Deno.test("what was sealed opens with the card and its PIN, keys in native memory", async () => {
  const { piv, profile, privateKey, presharedKey } = sample;
  await piv.verifyPin(PIN);
  using secrets = SecretMemory.allocate(64);
  let fileKey: Uint8Array | undefined;
  let wiped: Uint8Array | undefined;
  const opened = await openProfile({
    sealed: sealed.sealed,
    head: await goodHead(),
    identity: pivIdentity(piv, sample.sealedTo),
    issuerKeys: context.issuerKeys,
    secrets,
    onFileKey(key) {
      fileKey = key.slice();
      wiped = key;
    },
  });
  assert.equal(opened.result, "ok");
  assert.ok(opened.result === "ok" && opened.privateKey && opened.presharedKey);
  assert.deepEqual(opened.profile, profile);
  assert.deepEqual(opened.privateKey.bytes, privateKey);
  assert.deepEqual(opened.presharedKey.bytes, presharedKey);
  assert.equal(opened.privateKey.address % 16n, 0n);
  assert.equal(fileKey?.length, 16);
  assert.ok(fileKey?.some((byte) => byte !== 0));
  assert.ok(wiped?.every((byte) => byte === 0), "the file key is wiped behind the observer");
});

Deno.test("head: good, expired, other card, older generation, foreign issuer", async () => {
  const { head } = sealed;
  const check = async (change: Partial<HeadContext>) => {
    const checked = await checkHead(head, { ...context, ...change });
    return checked.result === "fault" ? checked.fault : checked.result;
  };
  assert.equal(await check({}), "ok");
  assert.equal(await check({ now: 1_899_999_999 }), "ok");
  assert.equal(await check({ now: 1_900_000_000 }), "expired");
  assert.equal(await check({ cardId: "serial:1" }), "other-card");
  assert.equal(await check({ highestGeneration: 6 }), "older-generation");
  assert.equal(await check({ highestGeneration: 0 }), "ok");
  assert.equal(await check({ issuerKeys: [] }), "forged");
  assert.equal(await check({ issuerKeys: [(await makeIssuer()).publicKey] }), "forged");
  const head_ = await goodHead();
  assert.equal(head_.holder, "Alice Examplé");
  assert.equal(head_.sealedTo?.slot, 0x9d);
});

Deno.test("head: says that the user id is asked for, and never which; settings must agree", async () => {
  await sample.piv.verifyPin(PIN);
  const asking = await seal(sample, { asksUserId: true });
  const checked = await checkHead(asking.head, context);
  assert.ok(checked.result === "ok");
  assert.equal(checked.head.asksUserId, true);
  assert.equal((await goodHead()).asksUserId, undefined);
  const payload = new TextDecoder().decode(asking.head).split(".")[1] ?? "";
  const text = new TextDecoder().decode(
    Uint8Array.fromBase64(payload, { alphabet: "base64url", lastChunkHandling: "loose" }),
  );
  assert.ok(text.includes(sample.profile.user.name) && !text.includes('"alice"'), text);
  assert.equal(await openWith(asking.sealed, checked.head), "ok");
  const { asksUserId: _without, ...silent } = checked.head;
  assert.equal(await openWith(asking.sealed, silent), "forged");
});

Deno.test("head: a later version is told apart, also one with other fields", async () => {
  const bytes = await signJson({ v: 2, other: "fields" }, {
    kind: "sekisho-head",
    issuer: sample.issuer,
  });
  assert.deepEqual(await checkHead(bytes, context), { result: "fault", fault: "newer-version" });
});

Deno.test("head: settings of the same issuer don't pass as one", async () => {
  const bytes = await signJson({ v: 1 }, { kind: "sekisho-settings", issuer: sample.issuer });
  assert.deepEqual(await checkHead(bytes, context), { result: "fault", fault: "forged" });
});

Deno.test("head: cut at every length it is damaged, never taken", async () => {
  for (let length = 0; length < sealed.head.length; length++) {
    const checked = await checkHead(sealed.head.subarray(0, length), context);
    assert.deepEqual(checked, { result: "fault", fault: "damaged" }, `cut at ${length}`);
  }
});

Deno.test("head: with any one byte changed it is never taken", async () => {
  for (let at = 0; at < sealed.head.length; at++) {
    const changed = sealed.head.slice();
    changed[at] = (changed[at] ?? 0) ^ 1;
    const checked = await checkHead(changed, context);
    // The last character of each part has bits that mean nothing; a strict decoder refuses them.
    assert.equal(checked.result, "fault", `byte ${at}`);
  }
});

Deno.test("head: whatever bytes come, it is a verdict", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), async (bytes) => {
      assert.equal((await checkHead(bytes, context)).result, "fault");
    }),
    { numRuns: 200 },
  );
});

Deno.test("container: cut at every length it is damaged, never half taken", async () => {
  await sample.piv.verifyPin(PIN);
  // Each try costs the card an operation: every cut in the header's end and the payload, and
  // every seventh before.
  for (let length = 0; length < sealed.sealed.length; length += length < 200 ? 7 : 23) {
    const outcome = await openWith(sealed.sealed.subarray(0, length));
    assert.equal(outcome, "damaged", `cut at ${length}`);
  }
  assert.equal(await openWith(sealed.sealed.subarray(0, -1)), "damaged");
});

Deno.test("container: with any part changed it is never taken", async () => {
  await sample.piv.verifyPin(PIN);
  for (let at = 0; at < sealed.sealed.length; at += 17) {
    const changed = sealed.sealed.slice();
    changed[at] = (changed[at] ?? 0) ^ 4;
    const outcome = await openWith(changed);
    // A changed name or tag in the stanza makes it somebody else's.
    assert.ok(outcome === "damaged" || outcome === "other-card", `byte ${at}: ${outcome}`);
  }
});

Deno.test("container: another profile of the same issuer under this head is forged", async () => {
  await sample.piv.verifyPin(PIN);
  const other = await seal(sample, { otherTraffic: "direct" });
  assert.equal(await openWith(other.sealed), "forged");
});

Deno.test("container: sealed by a stranger to the card's public key it is forged", async () => {
  await sample.piv.verifyPin(PIN);
  const stranger = await makeIssuer();
  const theirs = await sealProfile(sample, { issuer: stranger, sealedTo: sample.sealedTo });
  assert.equal(await openWith(theirs.sealed), "forged");
  assert.deepEqual(await checkHead(theirs.head, context), { result: "fault", fault: "forged" });
  // Even under a head that the stranger's own signature carries, the settings' signature counts.
  const checked = await checkHead(theirs.head, { ...context, issuerKeys: [stranger.publicKey] });
  assert.ok(checked.result === "ok");
  assert.equal(await openWith(theirs.sealed, checked.head), "forged");
});

Deno.test("container: sealed to another card's key it belongs to that card", async () => {
  await administer(sample.piv);
  const point = await sample.piv.generateKey(0x82, { algorithm: PIV_ALGORITHM.eccP256 });
  const publicKey = compressPoint(point);
  assert.ok(publicKey);
  const theirs = await sealProfile(sample, {
    issuer: sample.issuer,
    sealedTo: { slot: 0x82, publicKey },
  });
  await sample.piv.verifyPin(PIN);
  assert.equal(await openWith(theirs.sealed), "other-card");
});

Deno.test("container: without the PIN the card's refusal comes through", async () => {
  sample.card.reinsert();
  await assert.rejects(openWith(sealed.sealed), { name: "PivRefusedError", sw: 0x6982 });
  const gone = { agree: () => Promise.reject(new CardGoneError("pulled")) };
  using secrets = SecretMemory.allocate(64);
  await assert.rejects(
    openProfile({
      sealed: sealed.sealed,
      head: await goodHead(),
      identity: pivIdentity(gone, sample.sealedTo),
      issuerKeys: context.issuerKeys,
      secrets,
    }),
    CardGoneError,
  );
});

Deno.test("an on-card identity has no key in the container", async () => {
  await sample.piv.verifyPin(PIN);
  const { profile } = sample;
  const sealedCard = await sealProfile({
    profile: {
      ...profile,
      identity: { kind: "on-card", slot: 0x83, publicKey: profile.identity.publicKey },
      server: { ...profile.server, hasPresharedKey: false },
    },
  }, { issuer: sample.issuer, sealedTo: sample.sealedTo });
  const checked = await checkHead(sealedCard.head, context);
  assert.ok(checked.result === "ok");
  using secrets = SecretMemory.allocate(64);
  const opened = await openProfile({
    sealed: sealedCard.sealed,
    head: checked.head,
    identity: pivIdentity(sample.piv, sample.sealedTo),
    issuerKeys: context.issuerKeys,
    secrets,
  });
  assert.ok(opened.result === "ok");
  assert.equal(opened.privateKey, undefined);
  assert.equal(opened.presharedKey, undefined);
  assert.ok(secrets.bytes.every((byte) => byte === 0));
});

Deno.test("a profile can't be sealed with keys that it doesn't name", async () => {
  const { profile, privateKey, issuer, sealedTo } = sample;
  await assert.rejects(sealProfile({ profile, privateKey }, { issuer, sealedTo }), RangeError);
  await assert.rejects(sealProfile({ profile }, { issuer, sealedTo }), RangeError);
});

async function seal(
  from: Sample,
  change: { otherTraffic?: "direct"; asksUserId?: true } = {},
): Promise<SealedProfile> {
  const { profile, privateKey, presharedKey, issuer, sealedTo } = from;
  return await sealProfile(
    { profile: { ...profile, ...change }, privateKey, presharedKey },
    { issuer, sealedTo },
  );
}

async function goodHead(): Promise<ProfileHead> {
  const checked = await checkHead(sealed.head, context);
  assert.ok(checked.result === "ok");
  return checked.head;
}

async function openWith(bytes: Uint8Array, head?: ProfileHead): Promise<string> {
  using secrets = SecretMemory.allocate(64);
  const opened = await openProfile({
    sealed: bytes,
    head: head ?? await goodHead(),
    identity: pivIdentity(sample.piv, sample.sealedTo),
    issuerKeys: context.issuerKeys,
    secrets,
  });
  return opened.result === "fault" ? opened.fault : opened.result;
}
