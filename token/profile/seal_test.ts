import assert from "node:assert/strict";
import { makeSample, PIN, type Sample } from "../../tests/token/sample.ts";
import { SecretMemory } from "../../os/secret_memory.ts";
import { makeAgeKey, readAgeIdentity } from "./age_identity.ts";
import { checkHead } from "./head.ts";
import { MOST_OTHER_CARDS } from "./limits.ts";
import { openProfile } from "./open.ts";
import { passwordIdentity } from "./password.ts";
import { pivIdentity } from "./piv_p256.ts";
import type { Profile } from "./profile.ts";
import { cardRecipient, cardsOf, sealTo } from "./recipients.ts";
import { sealProfile } from "./seal.ts";
import type { FileKeyIdentity, ProfileHead } from "./types.ts";

// Cards of tests are all one card; these have names of their own.
const [first, second, third] = [
  await makeSample(),
  { ...await makeSample(), cardId: "serial:2" },
  { ...await makeSample(), cardId: "serial:3" },
];
const issuerKeys = [first.issuer.publicKey];
const recovery = await makeAgeKey();
const profile: Profile = {
  ...first.profile,
  recipients: [
    cardRecipient("card", { cardId: first.cardId, ...first.sealedTo }),
    cardRecipient("spare", { cardId: second.cardId, ...second.sealedTo }),
    { kind: "recovery", name: "safe", recipient: recovery.recipient },
  ],
};
const content = { ...first, profile };

Deno.test("two cards and a recovery identity open one container, each by its own head", async () => {
  const { head, otherHeads, sealed } = await sealProfile(content, {
    issuer: first.issuer,
    sealedTo: first.sealedTo,
    otherCards: cardsOf(profile.recipients ?? []).slice(1),
    recovery: [recovery.recipient],
  });
  const spare = otherHeads.get(second.cardId);
  assert.ok(spare && otherHeads.size === 1);
  const own = await readAgeIdentity(new TextEncoder().encode(recovery.identity));
  assert.ok(typeof own === "object");
  const asFirst = await checked(head, first);
  const asSecond = await checked(spare, second);
  assert.equal(await open(sealed, asFirst, pivIdentity(first.piv, first.sealedTo)), "ok");
  assert.equal(await open(sealed, asSecond, pivIdentity(second.piv, second.sealedTo)), "ok");
  assert.equal(await open(sealed, asFirst, own), "ok");
  assert.equal(
    await open(sealed, asFirst, pivIdentity(third.piv, third.sealedTo)),
    "other-card",
    "a card that nobody named",
  );
  const wrongCard = await checkHead(spare, contextOf(first));
  assert.deepEqual(wrongCard, { result: "fault", fault: "other-card" });
});

Deno.test("a head for a card that the settings don't name is forged, whoever signed it", async () => {
  const { otherHeads, sealed } = await sealProfile(content, {
    issuer: first.issuer,
    sealedTo: first.sealedTo,
    otherCards: [{ cardId: third.cardId, ...third.sealedTo }],
  });
  const head = otherHeads.get(third.cardId);
  assert.ok(head);
  const outcome = await open(
    sealed,
    await checked(head, third),
    pivIdentity(third.piv, third.sealedTo),
  );
  assert.equal(outcome, "forged");
});

Deno.test("a password alone is a container of its own, beside others a second one", async () => {
  const password = new TextEncoder().encode("correct horse");
  const alone = await sealProfile(content, { issuer: first.issuer, password });
  assert.equal(alone.backup, undefined);
  const head = await checked(alone.head, first);
  assert.equal(head.sealedTo, undefined);
  assert.equal(await open(alone.sealed, head, passwordIdentity(password)), "ok");
});

Deno.test("what nobody could open, or no card could carry, is not sealed", async () => {
  const { issuer, sealedTo } = first;
  await assert.rejects(sealProfile(content, { issuer }), /nobody could open it/);
  const other = { cardId: second.cardId, ...second.sealedTo };
  const many = Array.from({ length: MOST_OTHER_CARDS + 1 }, () => other);
  await assert.rejects(sealProfile(content, { issuer, sealedTo, otherCards: many }), RangeError);
  const split = {
    ...{ hub: "h:1", hubKey: new Uint8Array(32), proofSlot: 0x9a },
    proofKey: second.sealedTo.publicKey,
  };
  await assert.rejects(
    sealProfile(content, { issuer, split, recovery: [recovery.recipient] }),
    RangeError,
  );
  await assert.rejects(
    sealProfile(content, { issuer, sealedTo, split, otherCards: [other] }),
    RangeError,
  );
  assert.throws(
    () => sealTo(cardRecipient("x", { ...other, publicKey: new Uint8Array(33) })),
    RangeError,
  );
});

Deno.test("what was taken back is told apart from what is older", async () => {
  const { head } = await sealProfile(content, {
    issuer: first.issuer,
    sealedTo: first.sealedTo,
  });
  const verdict = await checkHead(head, {
    ...contextOf(first),
    highestGeneration: 1_000_000,
    isRevoked: ({ profileId }) => profileId === profile.id,
  });
  assert.deepEqual(verdict, { result: "fault", fault: "revoked" });
});

async function checked(bytes: Uint8Array, card: Sample): Promise<ProfileHead> {
  const verdict = await checkHead(bytes, contextOf(card));
  assert.ok(verdict.result === "ok", JSON.stringify(verdict));
  return verdict.head;
}

function contextOf({ cardId }: Sample) {
  return { issuerKeys, cardId, now: 1_850_000_000, highestGeneration: 0 };
}

async function open(
  sealed: Uint8Array,
  head: ProfileHead,
  identity: FileKeyIdentity,
): Promise<string> {
  for (const { piv } of [first, second, third]) await piv.verifyPin(PIN);
  using secrets = SecretMemory.allocate(64);
  const opened = await openProfile({ sealed, head, identity, issuerKeys, secrets });
  return opened.result === "fault" ? opened.fault : opened.result;
}
