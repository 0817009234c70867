/** The user id that is typed with a PIN or password, against the profile that these opened. */
import assert from "node:assert/strict";
import { HeldInProcess } from "../../tests/token/held_card.ts";
import { makeSample, PIN, type Sample } from "../../tests/token/sample.ts";
import { CardSilentError } from "../../token/apdu/channel.ts";
import { writeProfileToCard } from "../../token/profile/carrier.ts";
import { sealProfile } from "../../token/profile/seal.ts";
import { userIdDigest } from "../../token/pin/user_id.ts";
import { type Look, lookAtCard, type ReadyCard } from "./card.ts";
import { HolderCheck, untilAlike } from "./holder_check.ts";
import { WRONG_ENTRIES, WRONG_ENTRY_MS } from "./limits.ts";
import { EngineSecrets } from "./secrets.ts";
import type { ReadyStick } from "./stick.ts";
import { unlock } from "./unlock.ts";

async function place(asked: { profile?: true; gateway?: true }) {
  const sample = await makeSample();
  const { profile, privateKey, presharedKey, issuer, sealedTo } = sample;
  const settings = asked.profile ? { ...profile, asksUserId: true as const } : profile;
  const keys = { privateKey, presharedKey };
  await writeProfileToCard(
    sample.piv,
    await sealProfile({ profile: settings, ...keys }, { issuer, sealedTo }),
  );
  const card = new HeldInProcess(sample.card.state);
  const look = (): Promise<Look> =>
    lookAtCard(card, {
      issuerKeys: [issuer.publicKey],
      asksUserId: asked.gateway ?? false,
      now: 1_850_000_000_000,
      askGateway: () => Promise.resolve({ highest: 0, revoked: false }),
      onFault: (message) => assert.fail(message),
    });
  return { sample, card, look };
}

function readyOf(look: Look): ReadyCard {
  assert.ok("ready" in look, JSON.stringify(look.report));
  return look.ready;
}

class Holder {
  readonly secrets = new EngineSecrets();
  readonly #check = new HolderCheck(this.secrets);
  readonly #sample: Sample;
  readonly #card: HeldInProcess;

  constructor({ sample, card }: { sample: Sample; card: HeldInProcess }) {
    this.#sample = sample;
    this.#card = card;
  }

  async enter(ready: ReadyCard, { id, pin = PIN }: { id: string; pin?: Uint8Array }) {
    const { secrets } = this;
    secrets.keepPin(pin.slice());
    const issuerKeys = [this.#sample.issuer.publicKey];
    const tried = await unlock(ready, { issuerKeys, secrets, onTouch: () => {} });
    const userId = userIdDigest(id);
    return await this.#check.check(tried, { userId, token: ready, session: this.#card });
  }
}

Deno.test("the id is asked for where the profile or the gateway wants it, and else not", async () => {
  const cases = [[{}, false], [{ profile: true }, true], [{ gateway: true }, true]] as const;
  for (const [asked, expected] of cases) {
    const { look } = await place(asked);
    const { report } = await look();
    assert.ok(report.card === "pin-asked");
    assert.equal(report.asksUserId ?? false, expected);
    assert.equal(readyOf(await look()).asksUserId, expected);
  }
});

Deno.test("the right id passes; a wrong one leaves no key, no PIN state and no try less", async () => {
  const at = await place({ profile: true });
  const ready = readyOf(await at.look());
  const holder = new Holder(at);
  assert.deepEqual(await holder.enter(ready, { id: "alicf" }), {
    result: "failed",
    why: { failure: "wrong-id", triesLeft: 3 },
  });
  const memory = holder.secrets.profile.bytes;
  for (const key of [at.sample.privateKey, at.sample.presharedKey]) {
    assert.ok(!memory.toHex().includes(Uint8Array.from(key).toHex()), "no key is left");
  }
  holder.secrets.forgetPin();
  assert.ok(memory.every((byte) => byte === 0), "nor anything else");
  assert.deepEqual(await ready.card.client.pinStatus(), { state: "locked", triesLeft: 3 });

  const wrongPin = new TextEncoder().encode("654321");
  assert.deepEqual(await holder.enter(ready, { id: "alice", pin: wrongPin }), {
    result: "failed",
    why: { failure: "wrong-pin", triesLeft: 2 },
  });
  const opened = await holder.enter(ready, { id: " Alice" });
  assert.ok(opened.result === "ok" && opened.privateKey);
  assert.deepEqual(opened.privateKey.bytes, Uint8Array.from(at.sample.privateKey));
});

Deno.test("wrong ids are bounded, whatever the card counts", async () => {
  const at = await place({ gateway: true });
  const ready = readyOf(await at.look());
  const holder = new Holder(at);
  for (let left = WRONG_ENTRIES - 1; left > 0; left--) {
    const tried = await holder.enter(ready, { id: "mallory" });
    assert.ok(tried.result === "failed" && tried.why.failure === "wrong-id");
  }
  const last = await holder.enter(ready, { id: "mallory" });
  assert.ok(last.result === "failed" && last.why.failure === "failed");
  assert.match(last.why.reason, /^5 times a wrong user id or PIN; wait, then try again$/);
});

Deno.test("a card that keeps the PIN after a wrong id, or falls silent, is not asked again", async () => {
  const at = await place({ profile: true });
  const ready = readyOf(await at.look());
  const without = new Holder({
    sample: at.sample,
    card: Object.assign(at.card, { reset: () => Promise.resolve() }),
  });
  const kept = await without.enter(ready, { id: "mallory" });
  assert.ok(kept.result === "failed" && kept.why.failure === "failed");
  assert.match(kept.why.reason, /its PIN stays verified after a reset/);
  const silent = new Holder({
    sample: at.sample,
    card: Object.assign(at.card, { reset: () => Promise.reject(new CardSilentError("silent")) }),
  });
  const quiet = await silent.enter(ready, { id: "mallory" });
  assert.deepEqual(quiet, { result: "failed", why: { failure: "failed", reason: "silent" } });
});

Deno.test("a stick counts wrong ids and wrong passwords together", async () => {
  const at = await place({ profile: true });
  const secrets = new EngineSecrets();
  const check = new HolderCheck(secrets);
  const { profile } = at.sample;
  const token = { found: {}, asksUserId: true, triesLeft: 2 } as unknown as ReadyStick;
  const enter = (id: string) =>
    check.check({ result: "ok", profile }, {
      ...{ userId: userIdDigest(id), token, session: undefined },
    });
  assert.equal((await enter("alice")).result, "ok");
  assert.deepEqual(await enter("bob"), {
    result: "failed",
    why: { failure: "wrong-id", triesLeft: 1 },
  });
  const last = await enter("bob");
  assert.ok(last.result === "failed" && last.why.failure === "failed");
  assert.match(last.why.reason, /^5 times a wrong user id or password; wait/);
});

Deno.test("a wrong id and a wrong PIN are answered at one time, everything else at once", async () => {
  const began = performance.now() - WRONG_ENTRY_MS + 40;
  for (const failure of ["wrong-pin", "wrong-id"] as const) {
    const from = performance.now();
    await untilAlike({ why: { failure, triesLeft: 2 } }, from - WRONG_ENTRY_MS + 40);
    assert.ok(performance.now() - from >= 39, failure);
  }
  const from = performance.now();
  await untilAlike({ why: { failure: "blocked" } }, began + 60_000);
  assert.ok(performance.now() - from < 30_000, "however busy the machine is");
});
