import assert from "node:assert/strict";
import { makeSample } from "../../tests/token/sample.ts";
import { sealPasskey } from "../../token/pin/passkey.ts";
import { makePinOpener } from "../../token/pin/seal.ts";
import { prfStanza } from "../../token/profile/fido2prf.ts";
import { checkHead } from "../../token/profile/head.ts";
import { MOST_PASSKEYS } from "../../token/profile/limits.ts";
import { formatPasskey, passkeyNonce, withPasskeys } from "../../token/profile/passkeys.ts";
import { sealProfile } from "../../token/profile/seal.ts";
import type { ReadyCard } from "./card.ts";
import { Passkeys } from "./passkeys.ts";
import { EngineSecrets } from "./secrets.ts";
import type { Unlocked } from "./unlock.ts";

const ENGINE = "engine";
const phone = new Uint8Array(64).fill(1);
const key = new Uint8Array(64).fill(2);

Deno.test("a passkey is added by whoever has the PIN, kept as a word, and opens from then on", async () => {
  const { issuerKeys, token, fileKey, nonce } = await profile();
  const { passkeys, secrets, send, opener } = await engine(issuerKeys);
  const offer = passkeys.offer(token, { kept: [], add: true });
  const text = nonce.toBase64({ alphabet: "base64url", omitPadding: true });
  assert.deepEqual(offer, { nonce: text, opens: false, mayAdd: true });
  assert.equal(passkeys.offer(token, { kept: [], add: false }), undefined, "nothing to offer");
  assert.ok(!await passkeys.hold({ ...await send(phone), name: "phone" }, opener), "not allowed");

  passkeys.offer(token, { kept: [], add: true });
  const adds = { ...await send(phone), name: "phone" };
  assert.ok(await passkeys.hold(adds, opener));
  assert.deepEqual(secrets.prf, phone);
  passkeys.drop();
  assert.equal(passkeys.added(sealedIdentity), undefined, "the PIN was wrong: nothing is added");
  assert.ok(!await passkeys.hold(adds, opener), "the same answer again");
  assert.ok(await passkeys.hold({ ...await send(phone), name: "phone" }, opener));
  secrets.keepFileKey(fileKey);
  const added = passkeys.added(sealedIdentity);
  assert.ok(added);
  assert.equal(added.cardId, token.head.cardId);
  assert.deepEqual(secrets.prf, new Uint8Array(64), "wiped");

  // The next engine: with the word that was kept, and without any PIN.
  const next = await engine(issuerKeys);
  const kept = [
    added.passkey,
    formatPasskey({ name: "old", body: new Uint8Array(32) }, key.slice(16, 32)),
  ];
  assert.equal(next.passkeys.offer(token, { kept, add: true })?.opens, true);
  const opened = await next.passkeys.unlock(token, {
    sealed: await next.send(phone),
    opener: next.opener,
  });
  assert.equal(opened?.result, "ok");
  assert.deepEqual(next.secrets.fileKey, fileKey);
  assert.deepEqual(next.secrets.prf, new Uint8Array(64), "wiped");
  const stale = await next.passkeys.unlock(token, {
    sealed: await send(phone),
    opener: next.opener,
  });
  assert.equal(stale, undefined, "an answer to the engine before");
});

Deno.test("passkeys of other profiles are counted, and an answer is taken once", async () => {
  const { issuerKeys, token, fileKey, nonce } = await profile();
  const body = prfStanza(fileKey, { nonce, prf: phone }).body;
  const sealed = withPasskeys(token.sealed, {
    passkeys: [{ name: "phone", body }],
    nonce,
    fileKey,
  });
  const inside = { ...token, sealed };
  const { passkeys, send, opener, secrets } = await engine(issuerKeys);
  assert.equal(passkeys.offer(inside, { kept: [], add: false })?.opens, true);
  const wrong = await send(key);
  const unlock = (sealed: typeof wrong) => passkeys.unlock(inside, { sealed, opener });
  const first = await unlock(wrong);
  assert.deepEqual(first, {
    result: "failed",
    why: { failure: "wrong-passkey", triesLeft: 4 },
  });
  assert.equal(await unlock(wrong), undefined, "replayed");
  for (const triesLeft of [3, 2, 1]) {
    const again = await unlock(await send(key));
    assert.deepEqual(again, { result: "failed", why: { failure: "wrong-passkey", triesLeft } });
  }
  const last = await unlock(await send(key));
  assert.ok(last?.result === "failed" && last.why.failure === "failed");
  assert.match(last.why.reason, /^5 passkeys that don't open this profile; wait/);
  assert.deepEqual(secrets.prf, new Uint8Array(64), "wiped");
});

Deno.test("a passkey says nothing to a key on the card", async () => {
  const { issuerKeys, token, fileKey, nonce } = await profile({ onCard: true });
  const body = prfStanza(fileKey, { nonce, prf: phone }).body;
  const { passkeys, send, opener, secrets } = await engine(issuerKeys);
  passkeys.offer(token, { kept: [formatPasskey({ name: "phone", body }, nonce)], add: true });
  const opened = await passkeys.unlock(token, { sealed: await send(phone), opener });
  assert.deepEqual(opened, {
    result: "failed",
    why: { failure: "failed", reason: "this profile's key is on the card, which wants its PIN" },
  });
  assert.deepEqual(secrets.fileKey, new Uint8Array(16), "wiped");
  assert.ok(await passkeys.hold({ ...await send(key), name: "key" }, opener));
  const unlocked = { profile: { identity: { kind: "on-card" } } } as Unlocked;
  assert.equal(passkeys.added(unlocked), undefined, "none is added either");
  assert.deepEqual(secrets.prf, new Uint8Array(64), "wiped");
});

Deno.test("answers without end are not remembered without end", async () => {
  const { issuerKeys, token } = await profile();
  const { passkeys, send, opener } = await engine(issuerKeys);
  passkeys.offer(token, { kept: [], add: true });
  for (let count = 0; count < 100; count++) {
    assert.ok(await passkeys.hold({ ...await send(phone), name: "phone" }, opener));
  }
  assert.ok(!await passkeys.hold({ ...await send(phone), name: "phone" }, opener));
});

Deno.test("more passkeys than anybody has, and a profile in two halves", async () => {
  const { issuerKeys, token, nonce } = await profile();
  const { passkeys } = await engine(issuerKeys);
  const kept = Array.from(
    { length: 64 },
    (_, index) => formatPasskey({ name: `${index}`, body: new Uint8Array(32).fill(index) }, nonce),
  );
  const full = passkeys.offer(token, { kept: kept.slice(0, MOST_PASSKEYS), add: true });
  assert.deepEqual([full?.opens, full?.mayAdd], [true, false]);
  assert.equal(passkeys.offer(token, { kept: [...kept, "garbage"], add: true })?.mayAdd, false);
  const split = { id: nonce, hub: "hub:1", hubKey: new Uint8Array(32), proofSlot: 0x9a };
  const half = { ...token, head: { ...token.head, split } };
  assert.equal(passkeys.offer(half, { kept, add: true }), undefined);
});

Deno.test("where the user id is asked for, no passkey goes past it", async () => {
  const { issuerKeys, token, fileKey, nonce } = await profile();
  const { body } = prfStanza(fileKey, { nonce, prf: phone });
  const sealed = withPasskeys(token.sealed, {
    passkeys: [{ name: "phone", body }],
    ...{ nonce, fileKey },
  });
  const asking = { ...token, sealed, asksUserId: true };
  const { passkeys, send, opener } = await engine(issuerKeys);
  const kept = [formatPasskey({ name: "phone", body }, nonce)];
  const open = async (token: ReadyCard) =>
    (await passkeys.unlock(token, { sealed: await send(phone), opener }))?.result;
  passkeys.offer({ ...asking, asksUserId: false }, { kept, add: true });
  assert.equal(await open({ ...asking, asksUserId: false }), "ok");
  assert.equal(await open(asking), undefined, "whatever a page sends");
  assert.equal(passkeys.offer(asking, { kept, add: true }), undefined);
  assert.ok(!await passkeys.hold({ ...await send(phone), name: "phone" }, opener));
});

/** What `added` looks at. */
const sealedIdentity = { profile: { identity: { kind: "sealed" } } } as Unlocked;

async function profile({ onCard = false } = {}) {
  const { profile: sample, privateKey, presharedKey, issuer, cardId } = await makeSample();
  const { publicKey } = sample.identity;
  const profile: typeof sample = onCard
    ? { ...sample, identity: { kind: "on-card", slot: 0x82, publicKey } }
    : sample;
  let fileKey = new Uint8Array(0);
  const keys = { ...(onCard ? {} : { privateKey }), presharedKey };
  const { head: bytes, sealed } = await sealProfile({ profile, ...keys }, {
    issuer,
    recovery: [{
      wrapFileKey(key) {
        fileKey = Uint8Array.from(key);
        return [prfStanza(key, { nonce: new Uint8Array(16), prf: key64(key) })];
      },
    }],
  });
  const issuerKeys = [issuer.publicKey];
  const checked = await checkHead(bytes, { issuerKeys, cardId, now: 0, highestGeneration: 0 });
  assert.ok(checked.result === "ok");
  const token: Pick<ReadyCard, "head" | "sealed"> = { head: checked.head, sealed };
  return {
    issuerKeys,
    token: token as ReadyCard,
    fileKey,
    nonce: passkeyNonce(checked.head.inner),
  };
}

function key64(key: Uint8Array): Uint8Array {
  const out = new Uint8Array(64);
  out.set(key);
  return out;
}

async function engine(issuerKeys: ConstructorParameters<typeof Passkeys>[1]) {
  const secrets = new EngineSecrets();
  const opener = await makePinOpener(ENGINE);
  const passkeys = new Passkeys(secrets, issuerKeys);
  const to = { publicKey: opener.publicKey, engine: ENGINE };
  const send = (prf: Uint8Array) => sealPasskey(prf, to);
  return { secrets, opener, passkeys, send };
}
