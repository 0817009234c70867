import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Decrypter } from "age-encryption";
import fc from "fast-check";
import { combine, split } from "shamir-secret-sharing";
import { administer, makeSample, PIN } from "../../tests/token/sample.ts";
import { SecretMemory } from "../../os/secret_memory.ts";
import { PIV_ALGORITHM } from "../piv/constants.ts";
import { openContainer } from "./container.ts";
import { checkHead } from "./head.ts";
import { openProfile } from "./open.ts";
import { compressPoint, pivIdentity, unwrapStanzas } from "./piv_p256.ts";
import { cardRecipient, cardsOf } from "./recipients.ts";
import { sealProfile } from "./seal.ts";
import { readShareRecord } from "./share_record.ts";
import { SHARE_BYTES, splitIdentity } from "./split.ts";
import type { ProfileHead } from "./types.ts";

const sample = await makeSample();
const proofPoint = await sample.piv.generateKey(0x9a, { algorithm: PIV_ALGORITHM.eccP256 });
const proofKey = compressPoint(proofPoint);
assert.ok(proofKey);
const sealed = await sealProfile(sample, {
  issuer: sample.issuer,
  sealedTo: sample.sealedTo,
  split: {
    hub: "hub.example.org:51821",
    hubKey: new Uint8Array(randomBytes(32)),
    proofSlot: 0x9a,
    proofKey,
  },
});
const issuerKeys = [sample.issuer.publicKey];

Deno.test("split: the head tells where the other half is, the record whom it is for", async () => {
  const { split } = await head();
  assert.equal(split?.hub, "hub.example.org:51821");
  assert.equal(split?.proofSlot, 0x9a);
  const record = await hubRecord();
  assert.deepEqual(record.id, split?.id);
  assert.deepEqual(record.proofKey, proofKey);
  assert.equal(record.share.length, SHARE_BYTES);
  assert.equal(record.cardId, sample.cardId);
  assert.equal(record.generation, sample.profile.generation);
});

Deno.test("split: card and hub together open it", async () => {
  const { share } = await hubRecord();
  const handed = share.slice();
  const opened = await openWith(() => Promise.resolve(handed));
  assert.equal(opened, "ok");
  assert.ok(handed.every((byte) => byte === 0), "the hub's share is wiped after use");
});

Deno.test("split: the card alone opens nothing", async () => {
  const { sealedTo, piv } = sample;
  await piv.verifyPin(PIN);
  assert.equal(await openContainer(sealed.sealed, pivIdentity(piv, sealedTo)), "no-key");
  for (const guess of [new Uint8Array(SHARE_BYTES), new Uint8Array(SHARE_BYTES).fill(255)]) {
    guess[SHARE_BYTES - 1] = 77;
    assert.equal(await openWith(() => Promise.resolve(guess.slice())), "damaged");
  }
  const { share } = await hubRecord();
  const nearly = share.with(0, (share[0] ?? 0) ^ 1);
  assert.equal(
    await openWith(() => Promise.resolve(nearly)),
    "damaged",
    "one bit from the right one",
  );
  for (const odd of [new Uint8Array(0), new Uint8Array(5), new Uint8Array(40)]) {
    assert.equal(await openWith(() => Promise.resolve(odd)), "damaged", `${odd.length} bytes`);
  }
  await assert.rejects(openWith(() => Promise.reject(new TypeError("the hub is away"))), TypeError);
});

Deno.test("split: the hub's share alone opens nothing, also as a file key", async () => {
  const { share } = await hubRecord();
  for (const fileKey of [share.slice(0, 16), share.slice(1)]) {
    const identity = { unwrapFileKey: () => Promise.resolve(fileKey) };
    assert.equal(await openContainer(sealed.sealed, identity), "damaged");
  }
  for (let x = 1; x < 256; x++) {
    const other = new Uint8Array(SHARE_BYTES);
    other[SHARE_BYTES - 1] = x;
    if (x === share[SHARE_BYTES - 1]) continue;
    const fileKey = await combine([share, other]);
    const identity = { unwrapFileKey: () => Promise.resolve(fileKey) };
    assert.equal(await openContainer(sealed.sealed, identity), "damaged");
  }
});

Deno.test("split: one share is consistent with every file key: it tells nothing of it", async () => {
  const key = fc.uint8Array({ minLength: 16, maxLength: 16 });
  await fc.assert(
    fc.asyncProperty(key, key, fc.boolean(), async (secret, candidate, isFirst) => {
      const shares = await split(secret, 2, 2);
      const known = shares[isFirst ? 0 : 1];
      assert.ok(known);
      const other = completing(known, candidate);
      assert.deepEqual(await combine([known, other]), candidate);
    }),
    { numRuns: 200 },
  );
});

Deno.test("split: over all splits of two secrets, a share's byte has the same distribution", async () => {
  // With a line through (0, secret), each value of a share at x comes from exactly one slope.
  for (const x of [1, 2, 77, 255]) {
    for (const secret of [0x00, 0x5a, 0xff]) {
      const values = new Set<number>();
      for (let slope = 0; slope < 256; slope++) values.add(secret ^ multiply(slope, x));
      assert.equal(values.size, 256, `x ${x}, secret ${secret}`);
    }
  }
  const [share] = await split(Uint8Array.of(0x5a), 2, 2);
  assert.equal(share?.length, 2, "the library's shares are a value and its place");
});

Deno.test("split: a recovery identity opens it without the hub, where its issuer wants that", async () => {
  const { makeAgeKey, readAgeIdentity } = await import("./age_identity.ts");
  const { identity, recipient } = await makeAgeKey();
  const { head, sealed } = await sealProfile(sample, {
    issuer: sample.issuer,
    sealedTo: sample.sealedTo,
    recovery: [recipient],
    split: { hub: "h:1", hubKey: new Uint8Array(32), proofSlot: 0x9a, proofKey },
  });
  const own = await readAgeIdentity(new TextEncoder().encode(identity));
  assert.ok(typeof own === "object");
  using secrets = SecretMemory.allocate(64);
  const opened = await openProfile({
    sealed,
    head: await checked(head),
    identity: own,
    issuerKeys,
    secrets,
  });
  assert.equal(opened.result, "ok");
});

Deno.test("split: each card opens with its own half at the hub, and with nobody else's", async () => {
  // Cards of tests are all one card; this one has a name of its own.
  const second = { ...await makeSample(), cardId: "serial:2" };
  const point = await second.piv.generateKey(0x82, { algorithm: PIV_ALGORITHM.eccP256 });
  const secondProof = compressPoint(point);
  assert.ok(secondProof);
  const spare = {
    cardId: second.cardId,
    ...second.sealedTo,
    proof: { slot: 0x82, publicKey: secondProof },
  };
  const options = {
    issuer: sample.issuer,
    sealedTo: sample.sealedTo,
    split: { hub: "h:1", hubKey: new Uint8Array(32), proofSlot: 0x9a, proofKey },
  };
  const recipients = [
    cardRecipient("card", { cardId: sample.cardId, ...sample.sealedTo }),
    cardRecipient("spare", spare),
  ];
  assert.deepEqual(cardsOf(recipients)[1], spare, "the list keeps what sealing anew needs");
  const content = { ...sample, profile: { ...sample.profile, recipients } };
  const both = await sealProfile(content, { ...options, otherCards: [spare] });
  const { hubShare, otherShares } = both;
  const spareHead = both.otherHeads.get("serial:2");
  const spareShare = otherShares.get("serial:2");
  assert.ok(hubShare && spareHead && spareShare);

  const one = await sideOf({ ...sample, cardId: sample.cardId }, both.head, hubShare);
  const two = await sideOf(second, spareHead, spareShare);
  assert.equal(two.record.cardId, "serial:2");
  assert.deepEqual(two.record.proofKey, secondProof);
  assert.equal(two.head.split?.proofSlot, 0x82);
  assert.notDeepEqual(one.head.split?.id, two.head.split?.id);
  const open = async (side: typeof one, share: Uint8Array) => {
    const { split, sealedTo } = side.head;
    assert.ok(split && sealedTo);
    using secrets = SecretMemory.allocate(64);
    const identity = splitIdentity(side.piv, sealedTo, {
      id: split.id,
      fetchShare: () => Promise.resolve(share.slice()),
    });
    const opened = await openProfile({
      ...{ sealed: both.sealed, head: side.head, identity, issuerKeys, secrets },
    });
    return opened.result === "fault" ? opened.fault : opened.result;
  };
  assert.equal(await open(one, one.record.share), "ok");
  assert.equal(await open(two, two.record.share), "ok");
  assert.equal(await open(one, two.record.share), "damaged");
  assert.equal(await open(two, one.record.share), "damaged");

  // The halves of one side put together: of two thieves, and of a dishonest hub.
  const cards = await Promise.all([cardShare(one), cardShare(two)]);
  const isSamePlace = (pair: readonly Uint8Array[]) => pair[0]?.at(-1) === pair[1]?.at(-1);
  for (const pair of [cards, [one.record.share, two.record.share]]) {
    if (isSamePlace(pair)) continue; // the library refuses to combine those at all
    const fileKey = await combine(pair);
    const identity = { unwrapFileKey: () => Promise.resolve(fileKey) };
    assert.equal(await openContainer(both.sealed, identity), "damaged");
  }
  for (const side of [one, two]) {
    assert.ok(side.head.sealedTo);
    const alone = pivIdentity(side.piv, side.head.sealedTo);
    assert.equal(await openContainer(both.sealed, alone), "no-key");
  }

  const { proof: _proof, ...unproven } = spare;
  await assert.rejects(
    sealProfile(content, { ...options, otherCards: [unproven] }),
    /another card has no key that proves it/,
  );

  async function sideOf(of: typeof second, head: Uint8Array, share: Uint8Array) {
    const verdict = await checkHead(head, {
      ...{ issuerKeys, cardId: of.cardId, now: 1_850_000_000, highestGeneration: 0 },
    });
    const record = await readShareRecord(share, issuerKeys);
    assert.ok(verdict.result === "ok" && typeof record === "object");
    await of.piv.verifyPin(PIN);
    return { piv: of.piv, head: verdict.head, record };
  }

  /** What a card gives out to whoever has its PIN. */
  async function cardShare({ piv, head }: typeof one): Promise<Uint8Array> {
    const { split, sealedTo } = head;
    assert.ok(split && sealedTo);
    const parser = new Decrypter();
    let share: Uint8Array | null = null;
    parser.addIdentity({
      async unwrapFileKey(stanzas) {
        share = await unwrapStanzas(piv, sealedTo, {
          label: "sekisho-split",
          stanzas,
          bytes: SHARE_BYTES + 16,
        });
        return null;
      },
    });
    await parser.decryptHeader(both.sealed).catch(() => {});
    assert.ok(share !== null);
    return share;
  }
});

Deno.test("split: a record that is changed or somebody else's is told apart", async () => {
  const { hubShare } = sealed;
  assert.ok(hubShare);
  assert.equal(await readShareRecord(hubShare, []), "forged");
  assert.equal(await readShareRecord(hubShare.subarray(0, -1), issuerKeys), "damaged");
  const changed = hubShare.slice();
  changed[200] = changed[200] === 0x41 ? 0x42 : 0x41;
  assert.equal(await readShareRecord(changed, issuerKeys), "forged");
  assert.equal(await readShareRecord(sealed.head, issuerKeys), "forged", "a head is no record");
  const withNewline = new Uint8Array([...hubShare, 0x0a]);
  assert.equal(typeof await readShareRecord(withNewline, issuerKeys), "object");
});

async function head(): Promise<ProfileHead> {
  return await checked(sealed.head);
}

async function checked(bytes: Uint8Array): Promise<ProfileHead> {
  const verdict = await checkHead(bytes, {
    issuerKeys,
    cardId: sample.cardId,
    now: 1_850_000_000,
    highestGeneration: 0,
  });
  assert.ok(verdict.result === "ok");
  return verdict.head;
}

async function hubRecord() {
  assert.ok(sealed.hubShare);
  const record = await readShareRecord(sealed.hubShare, issuerKeys);
  assert.ok(typeof record === "object");
  return record;
}

async function openWith(fetchShare: () => Promise<Uint8Array>): Promise<string> {
  const { split, ...rest } = await head();
  assert.ok(split && rest.sealedTo);
  await administer(sample.piv);
  await sample.piv.verifyPin(PIN);
  using secrets = SecretMemory.allocate(64);
  const opened = await openProfile({
    sealed: sealed.sealed,
    head: { ...rest, split },
    identity: splitIdentity(sample.piv, rest.sealedTo, { id: split.id, fetchShare }),
    issuerKeys,
    secrets,
  });
  return opened.result === "fault" ? opened.fault : opened.result;
}

/** The share at another place that makes `known` mean `secret`: a line through two points. */
function completing(known: Uint8Array, secret: Uint8Array): Uint8Array {
  const x = known[SHARE_BYTES - 1] ?? 0;
  const place = x === 1 ? 2 : 1;
  const share = new Uint8Array(SHARE_BYTES);
  share[SHARE_BYTES - 1] = place;
  for (let at = 0; at < secret.length; at++) {
    const slope = multiply((known[at] ?? 0) ^ (secret[at] ?? 0), inverse(x));
    share[at] = (secret[at] ?? 0) ^ multiply(slope, place);
  }
  return share;
}

/** In GF(2^8) with x^8 + x^4 + x^3 + x + 1, by hand: the library's tables are not asked. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) {
    if ((b >> bit & 1) === 1) product ^= a << bit;
  }
  for (let bit = 14; bit >= 8; bit--) {
    if ((product >> bit & 1) === 1) product ^= 0x11b << (bit - 8);
  }
  return product;
}

function inverse(a: number): number {
  for (let b = 1; b < 256; b++) if (multiply(a, b) === 1) return b;
  throw new RangeError("Cannot invert zero");
}
