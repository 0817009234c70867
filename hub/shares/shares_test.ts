import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { x25519 } from "@noble/curves/ed25519.js";
import { makeSample, PIN, type Sample } from "../../tests/token/sample.ts";
import { compressPoint } from "../../token/profile/piv_p256.ts";
import { checkHead } from "../../token/profile/head.ts";
import { RevocationFiles } from "../../token/profile/revocation_files.ts";
import { signRevocations } from "../../token/profile/revocations.ts";
import { sealProfile } from "../../token/profile/seal.ts";
import { fetchShare, ShareUnreachableError } from "../../token/profile/share_client.ts";
import type { RecipientCard } from "../../token/profile/recipients.ts";
import type { SplitHead } from "../../token/profile/types.ts";
import { PIV_ALGORITHM } from "../../token/piv/constants.ts";
import { MOST_CONNECTIONS } from "../bounded_listener.ts";
import { Shares } from "./shares.ts";

Deno.test("a hub gives its half to the card, and to nobody else", async () => {
  await using hub = await Hub.open();
  const { sample } = hub;
  const split = await hub.issue();
  const share = await fetchShare(sample.piv, split);
  assert.equal(share.length, 17);
  assert.deepEqual(share, await fetchShare(sample.piv, split), "as often as it is asked");

  await refused(hub, split, "not-proven", {
    sign: () =>
      sample.piv.sign(0x9d, { algorithm: PIV_ALGORITHM.eccP256, input: new Uint8Array(32) }),
  });
  await refused(hub, { ...split, id: new Uint8Array(16) }, "unknown");
  const wrongKey = { ...split, hubKey: x25519.getPublicKey(new Uint8Array(randomBytes(32))) };
  await assert.rejects(fetchShare(sample.piv, wrongKey), ShareUnreachableError);
  assert.deepEqual(hub.shares.status.shares, 1);
  await assert.rejects(
    Shares.open({
      listen: { hostname: "127.0.0.1", port: hub.port },
      private_key_file: `${hub.dir}/shares.key`,
      folder: `${hub.dir}/shares`,
    }, { issuerKeys: [], revocations: hub.revocations, say: () => {} }),
    /^Error: Cannot listen on 127\.0\.0\.1, port \d+: .*name another/,
  );
  assert.equal(hub.shares.status.answers["granted"], 2);
  assert.equal(hub.shares.status.answers["garbage"], 1);
  assert.deepEqual(hub.said, [
    "Hub share for alice: granted",
    "Hub share for alice: granted",
    "Hub share for alice: not-proven",
    "Hub share for an unknown profile: unknown",
  ]);
});

Deno.test("a hub refuses what was taken back, has expired, or was replaced", async () => {
  await using hub = await Hub.open();
  const { sample } = hub;
  const now = Math.floor(Date.now() / 1000);
  const old = await hub.issue({ generation: 10 });
  await fetchShare(sample.piv, old);
  const next = await hub.issue({ generation: 11 });
  await refused(hub, old, "replaced");
  await fetchShare(sample.piv, next);
  const expired = await hub.issue({ id: "another", expiresAt: now - 1 });
  await refused(hub, expired, "expired");
  await Deno.writeFile(
    `${hub.dir}/revoked.jws`,
    await signRevocations({
      number: now,
      issuedAt: now,
      entries: [{ at: now, reason: "lost", card: sample.cardId, upTo: 11 }],
    }, sample.issuer),
  );
  await hub.revocations.look();
  await refused(hub, next, "revoked");
});

Deno.test("two cards of one profile have a half each; one that is taken back leaves the other's", async () => {
  await using hub = await Hub.open();
  const { sample } = hub;
  // Cards of tests are all one card; this one has a name of its own.
  const spare = { ...await makeSample(), cardId: "serial:2" };
  const point = await spare.piv.generateKey(0x9a, { algorithm: PIV_ALGORITHM.eccP256 });
  const publicKey = compressPoint(point);
  assert.ok(publicKey);
  await spare.piv.verifyPin(PIN);
  const card = { cardId: "serial:2", ...spare.sealedTo, proof: { slot: 0x9a, publicKey } };
  const other = await hub.issue({ generation: 20 }, card);
  const own = hub.own;
  assert.ok(own);
  assert.notDeepEqual(await fetchShare(sample.piv, own), await fetchShare(spare.piv, other));
  await refused(hub, other, "not-proven");
  await refused(hub, own, "not-proven", spare.piv);
  await Deno.writeFile(
    `${hub.dir}/revoked.jws`,
    await signRevocations({
      number: 2,
      issuedAt: 2,
      entries: [{ at: 2, reason: "lost", card: "serial:2", upTo: 20 }],
    }, sample.issuer),
  );
  await hub.revocations.look();
  await refused(hub, other, "revoked", spare.piv);
  await fetchShare(sample.piv, own);
});

Deno.test("files that are forged, damaged or too large are left out and named", async () => {
  await using hub = await Hub.open();
  const split = await hub.issue();
  const { hubShare } = hub;
  await Deno.writeFile(`${hub.dir}/shares/cut.share`, hubShare.subarray(0, -9));
  await Deno.writeFile(`${hub.dir}/shares/large.share`, new Uint8Array(100_000).fill(0x41));
  await Deno.writeTextFile(`${hub.dir}/shares/README`, "not looked at");
  await hub.shares.reload();
  assert.equal(hub.shares.status.shares, 1);
  assert.equal(hub.said.filter((line) => /damaged; copy it again/.test(line)).length, 2);
  await fetchShare(hub.sample.piv, split);
  await Deno.chmod(`${hub.dir}/shares`, 0o755);
  await assert.rejects(hub.shares.reload(), /others may look into it/);
});

Deno.test("connections that say nothing, garbage, or come in crowds keep nobody out", async () => {
  await using hub = await Hub.open();
  const split = await hub.issue();
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port: hub.port });
  const garbage = await connect();
  await garbage.read(new Uint8Array(64));
  await garbage.write(new Uint8Array(randomBytes(500)));
  await garbage.read(new Uint8Array(1)).catch(() => {});
  garbage.close();
  const silent: Deno.TcpConn[] = [];
  for (let i = 0; i < MOST_CONNECTIONS.each + 4; i++) silent.push(await connect());
  // Beyond its bound, an address waits; another one doesn't.
  await assert.rejects(fetchShare(hub.sample.piv, split), ShareUnreachableError);
  for (const one of silent) one.close();
  for (let attempt = 0;; attempt++) {
    try {
      await fetchShare(hub.sample.piv, split);
      break;
    } catch (error) {
      if (attempt > 100 || !(error instanceof ShareUnreachableError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  assert.ok((hub.shares.status.answers["crowded"] ?? 0) >= 4);
});

/** A hub's shares on loopback, and a station that issues for them. */
class Hub implements AsyncDisposable {
  readonly said: string[];
  readonly dir: string;
  readonly sample: Sample;
  readonly revocations: RevocationFiles;
  readonly shares: Shares;
  readonly port: number;
  hubShare = new Uint8Array(0);
  own: SplitHead | undefined;
  readonly #hubKey: Uint8Array;
  readonly #proofKey: Uint8Array;
  #count = 0;

  private constructor(parts: {
    said: string[];
    dir: string;
    sample: Sample;
    revocations: RevocationFiles;
    shares: Shares;
    hubKey: Uint8Array;
    proofKey: Uint8Array;
  }) {
    this.said = parts.said;
    this.dir = parts.dir;
    this.sample = parts.sample;
    this.revocations = parts.revocations;
    this.shares = parts.shares;
    this.port = parts.shares.port;
    this.#hubKey = parts.hubKey;
    this.#proofKey = parts.proofKey;
  }

  static async open(): Promise<Hub> {
    const dir = await Deno.makeTempDir();
    const sample = await makeSample();
    const point = await sample.piv.generateKey(0x9a, { algorithm: PIV_ALGORITHM.eccP256 });
    const proofKey = compressPoint(point);
    assert.ok(proofKey);
    await sample.piv.verifyPin(PIN);
    const secret = new Uint8Array(randomBytes(32));
    await Deno.writeTextFile(`${dir}/shares.key`, `${secret.toBase64()}\n`, { mode: 0o600 });
    await Deno.mkdir(`${dir}/shares`, { mode: 0o700 });
    const issuerKeys = [sample.issuer.publicKey];
    await Deno.writeFile(
      `${dir}/revoked.jws`,
      await signRevocations({ number: 1, issuedAt: 1, entries: [] }, sample.issuer),
    );
    const revocations = await RevocationFiles.open([`${dir}/revoked.jws`], {
      issuerKeys,
      folder: `${dir}/kept`,
    });
    const said: string[] = [];
    const shares = await Shares.open({
      listen: { hostname: "127.0.0.1", port: 0 },
      private_key_file: `${dir}/shares.key`,
      folder: `${dir}/shares`,
    }, { issuerKeys, revocations, say: (line) => said.push(line) });
    const hubKey = x25519.getPublicKey(secret);
    return new Hub({ said, dir, sample, revocations, shares, hubKey, proofKey });
  }

  /**
   * Seals a profile and gives the hub its halves; what the head of the card, or of another one that
   * is named, says of its own comes back.
   */
  async issue(
    change: { generation?: number; expiresAt?: number; id?: string } = {},
    other?: RecipientCard,
  ): Promise<SplitHead> {
    const { sample } = this;
    const [hubKey, proofKey] = [this.#hubKey, this.#proofKey];
    const profile = { ...sample.profile, ...change };
    const { head, hubShare, otherHeads, otherShares } = await sealProfile({ ...sample, profile }, {
      issuer: sample.issuer,
      sealedTo: sample.sealedTo,
      otherCards: other === undefined ? [] : [other],
      split: { hub: `127.0.0.1:${this.port}`, hubKey, proofSlot: 0x9a, proofKey },
    });
    assert.ok(hubShare);
    this.hubShare = new Uint8Array(hubShare);
    for (const share of [hubShare, ...otherShares.values()]) {
      await Deno.writeFile(`${this.dir}/shares/${++this.#count}.share`, share, { mode: 0o600 });
    }
    await this.shares.reload();
    this.own = await this.#splitIn(head, sample.cardId);
    if (other === undefined) return this.own;
    return await this.#splitIn(otherHeads.get(other.cardId) ?? head, other.cardId);
  }

  async #splitIn(head: Uint8Array, cardId: string): Promise<SplitHead> {
    const checked = await checkHead(head, {
      issuerKeys: [this.sample.issuer.publicKey],
      cardId,
      now: 0,
      highestGeneration: 0,
    });
    assert.ok(checked.result === "ok" && checked.head.split);
    return checked.head.split;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.shares[Symbol.dispose]();
    await Deno.remove(this.dir, { recursive: true });
  }
}

async function refused(
  { sample }: Hub,
  split: SplitHead,
  why: string,
  card: Parameters<typeof fetchShare>[0] = sample.piv,
): Promise<void> {
  await assert.rejects(fetchShare(card, split), { name: "ShareRefusedError", why });
}
