/** Sealed profiles at a hub: what its gateways get, what others learn, and what a gateway makes of it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { lookAtCard } from "../../gateway/engine/card.ts";
import { EngineSecrets } from "../../gateway/engine/secrets.ts";
import { unlock } from "../../gateway/engine/unlock.ts";
import { ProfileStore } from "../../hub/profiles/profile_store.ts";
import { ageRecipient } from "../../token/openpgp/age_card.ts";
import { selectOpenPgp } from "../../token/openpgp/client.ts";
import { PASSWORD } from "../../token/openpgp/constants.ts";
import { formatBundle } from "../../token/profile/bundle.ts";
import { findBundles } from "../../token/profile/bundle_folder.ts";
import { sealProfile } from "../../token/profile/seal.ts";
import { fetchProfile } from "../../token/profile/store_client.ts";
import { STORE_BYTES, STORE_REQUEST_BYTES } from "../../token/profile/store_protocol.ts";
import { cheapCard } from "../../token/softcard/test_card.ts";
import { HeldInProcess } from "../token/held_card.ts";
import { makeSample } from "../token/sample.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const NOW = 1_850_000_000_000;

async function open() {
  const dir = await Deno.makeTempDir();
  const [folder, cache, keyFile] = [`${dir}/hub`, `${dir}/gateway`, `${dir}/profiles.key`];
  await Deno.mkdir(folder);
  await Deno.mkdir(cache);
  const key = new Uint8Array(randomBytes(STORE_BYTES));
  await Deno.writeTextFile(keyFile, `${key.toBase64()}\n`, { mode: 0o600 });
  const said: string[] = [];
  const listen = { hostname: "127.0.0.1", port: 0 };
  const hub = new ProfileStore({ listen, folder, key_file: keyFile }, (line) => said.push(line));
  const store = { hub: `127.0.0.1:${hub.port}`, keyFile };

  const card = new HeldInProcess(cheapCard({ serial: 4711 }));
  const client = await selectOpenPgp(card);
  assert.ok(client);
  await client.verifyPin(utf8("12345678"), PASSWORD.administrator);
  const recipient = ageRecipient(await client.generateDecryptionKey());
  const cardId = await client.cardId();
  card.reinsert();
  const sample = await makeSample();
  const { issuer, privateKey, presharedKey } = sample;
  let isStopped = false;
  const stopHub = () => {
    if (!isStopped) hub[Symbol.dispose]();
    isStopped = true;
  };
  return {
    ...{ stopHub, dir, folder, cache, keyFile, said, hub, store, card, cardId, sample },
    async give(generation: number) {
      const profile = { ...sample.profile, cardId, generation };
      const sealed = await sealProfile({ profile, privateKey, presharedKey }, {
        ...{ issuer, recovery: [recipient] },
      });
      await Deno.writeTextFile(`${folder}/${crypto.randomUUID()}.profile`, formatBundle(sealed));
    },
    async look(faults: string[] = []) {
      return await lookAtCard(card, {
        ...{ issuerKeys: [issuer.publicKey], now: NOW, profiles: cache, store },
        askGateway: () => Promise.resolve({ highest: 0, revoked: false }),
        onFault: (message) => faults.push(message),
      });
    },
    async [Symbol.asyncDispose]() {
      stopHub();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

Deno.test("a gateway gets the newest profile of a card from its hub, and keeps it for when that is away", async () => {
  await using place = await open();
  assert.deepEqual((await place.look()).report, { card: "refused", fault: "none-on-card" });
  await place.give(6);
  await place.give(8);
  await place.give(7);
  const look = await place.look();
  assert.ok("ready" in look, JSON.stringify(look.report));
  assert.deepEqual([look.ready.carrier, look.ready.head.generation], ["hub", 8]);
  const secrets = new EngineSecrets();
  secrets.keepPin(utf8("123456"));
  const issuerKeys = [place.sample.issuer.publicKey];
  const result = await unlock(look.ready, { issuerKeys, secrets, onTouch: () => {} });
  assert.equal(result.result, "ok");
  // The PIV application was asked about first, each time.
  assert.deepEqual(place.hub.answers, { unknown: 3, given: 1 });
  assert.match(place.said.at(-1) ?? "", /^Hub profile for the card "openpgp:.*": given$/);

  place.stopHub();
  const faults: string[] = [];
  const again = await place.look(faults);
  assert.ok("ready" in again && again.ready.carrier === "folder", "what the hub gave before");
  assert.match(
    faults.join(),
    /Cannot ask the hub at .* for the card's profile: .*token.hub_profiles/,
  );
  assert.equal((await findBundles(place.cache, place.cardId)).length, 1);
});

Deno.test("who hasn't the hub's key learns nothing, not even which cards there are", async () => {
  await using place = await open();
  await place.give(6);
  const other = `${place.dir}/other.key`;
  const key = new Uint8Array(randomBytes(STORE_BYTES));
  await Deno.writeTextFile(other, key.toBase64(), { mode: 0o600 });
  await assert.rejects(
    fetchProfile({ ...place.store, keyFile: other }, place.cardId),
    /Cannot ask the hub at .*: it closed the connection/,
  );
  // What crosses shows neither the card nor its holder, and can't be said again.
  const seen = await record(place.store.hub, async (hub) => {
    assert.ok(await fetchProfile({ ...place.store, hub }, place.cardId));
  });
  const text = new TextDecoder("latin1").decode(Uint8Array.from(seen.both));
  for (const word of [place.cardId, "Alice", "sekisho-head"]) assert.ok(!text.includes(word), word);
  assert.equal(seen.request.length, STORE_REQUEST_BYTES);
  assert.equal(await replay(place.store.hub, seen.request), 0, "another challenge, no answer");
  assert.deepEqual(place.hub.answers, { garbage: 2, given: 1 });
});

Deno.test("a key that others may read, a folder that isn't there, and something else at the port", async () => {
  await using place = await open();
  await Deno.chmod(place.keyFile, 0o644);
  await assert.rejects(fetchProfile(place.store, "x"), /others may read it/);
  await Deno.chmod(place.keyFile, 0o600);
  await Deno.remove(place.folder, { recursive: true });
  assert.equal(await fetchProfile(place.store, place.cardId), undefined);
  assert.match(place.said[0] ?? "", /^Cannot look for profiles in .*: /);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  void listener.accept().then(async (connection) => {
    await connection.write(new Uint8Array(64));
    connection.close();
  });
  const hub = `127.0.0.1:${listener.addr.port}`;
  await assert.rejects(fetchProfile({ ...place.store, hub }, "x"), /something else answers there/);
  assert.throws(
    () =>
      new ProfileStore({
        ...{ listen: { hostname: "127.0.0.1", port: place.hub.port }, folder: place.folder },
        key_file: place.keyFile,
      }, () => {}),
    /^Error: Cannot listen on .*name another \(profiles.listen\)/,
  );
});

/** A relay before the hub for one connection, and what went through it. */
async function record(hub: string, work: (relay: string) => Promise<void>) {
  const [hostname = "", port = ""] = hub.split(":");
  using listener = Deno.listen({ hostname, port: 0 });
  const request: number[] = [];
  const both: number[] = [];
  const relayed = listener.accept().then(async (near) => {
    const far = await Deno.connect({ hostname, port: Number(port) });
    await Promise.all([
      pump(near, far, (bytes) => (request.push(...bytes), both.push(...bytes))),
      pump(far, near, (bytes) => both.push(...bytes)),
    ]);
    near.close();
    far.close();
  });
  await work(`${hostname}:${listener.addr.port}`);
  await relayed;
  return { request: Uint8Array.from(request), both };
}

async function pump(from: Deno.TcpConn, to: Deno.TcpConn, see: (bytes: Uint8Array) => void) {
  const buffer = new Uint8Array(65_536);
  for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
    see(buffer.subarray(0, count));
    await to.write(buffer.slice(0, count));
  }
  await to.closeWrite().catch(() => {});
}

/** Says the same bytes in a new connection; how many bytes came back after the greeting. */
async function replay(hub: string, request: Uint8Array): Promise<number> {
  const [hostname = "", port = ""] = hub.split(":");
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const buffer = new Uint8Array(65_536);
  await connection.read(buffer);
  await connection.write(request);
  return await connection.read(buffer) ?? 0;
}
