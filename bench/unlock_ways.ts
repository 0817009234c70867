/**
 * From a right PIN or password to an opened profile, by way, on the real reader service with a
 * software card: what the engine does between the PIN and the tunnel. The way that every card has, a
 * profile sealed to its P-256 key, is what the others stand beside. On-card: with the two
 * Diffie-Hellman operations of the first handshake. Split: with the hub's half, over TCP.
 * `deno run -A bench/unlock_ways.ts [--pairs N]`; needs root.
 */
import { randomBytes } from "node:crypto";
import { x25519 } from "@noble/curves/ed25519.js";
import { lookAtCard, type ReadyCard } from "../gateway/engine/card.ts";
import { EngineSecrets } from "../gateway/engine/secrets.ts";
import { unlock } from "../gateway/engine/unlock.ts";
import { Shares } from "../hub/shares/shares.ts";
import { SecretMemory } from "../os/secret_memory.ts";
import { startSoftcard } from "../tests/lab/pcscd.ts";
import { ReaderLab } from "../tests/token/reader_lab.ts";
import { FACTORY_MANAGEMENT_KEY } from "../token/piv/client_management.ts";
import { PIV_ALGORITHM } from "../token/piv/constants.ts";
import { type PivClient, selectPiv } from "../token/piv/client.ts";
import { openCard } from "../token/pcsc/session.ts";
import { writeProfileToCard } from "../token/profile/carrier.ts";
import { checkHead } from "../token/profile/head.ts";
import { makeIssuerKey, readIssuerKey } from "../token/profile/issuer_key.ts";
import { openProfile } from "../token/profile/open.ts";
import { passwordIdentity } from "../token/profile/password.ts";
import { compressPoint } from "../token/profile/piv_p256.ts";
import type { Profile } from "../token/profile/profile.ts";
import { RevocationFiles } from "../token/profile/revocation_files.ts";
import { type SealedProfile, type SealOptions, sealProfile } from "../token/profile/seal.ts";
import { makeWireGuardKey } from "../token/profile/wireguard_key.ts";
import { readPairs, round } from "./lib/compare.ts";
import { median, spread } from "./lib/statistics.ts";

const PIN = "123456";
const PASSWORD = new TextEncoder().encode("correct horse battery staple");
const NOW = Math.floor(Date.now() / 1000);
const WAYS = ["sealed", "on-card", "split", "password"] as const;
type Way = typeof WAYS[number];

const pairs = readPairs(9);
const issuer = await readIssuerKey(makeIssuerKey().file);
if (issuer === undefined) throw new Error("an issuer's key that was just made is one");
const signer = issuer;
const issuerKeys = [signer.publicKey];
const server = makeWireGuardKey();

await using lab = await ReaderLab.open();
const { dir } = lab.lab;
const { readerName } = await lab.startService();
using shares = await startHub();
const times = new Map<Way, number[]>(WAYS.map((way) => [way, []]));
for (const way of WAYS) {
  const sealed = await prepare(way);
  for (let round = 0; round <= pairs; round++) {
    const took = way === "password" ? await byPassword(sealed) : await byCard(way);
    // The first one warms up what is compiled and read.
    if (round > 0) times.get(way)?.push(took);
  }
  await lab.card?.stop();
}
const base = median(times.get("sealed") ?? []);
for (const way of WAYS) {
  const own = times.get(way) ?? [];
  console.log(JSON.stringify({
    name: `unlock_${way.replace("-", "_")}`,
    ours: round(median(own)),
    peer: round(base),
    ratio: round(median(own) / base),
    unit: "ms",
    peerVersion: "sealed to a P-256 key of the same software card",
    runs: own.length,
    spread: { ours: spread(own).map(round) },
  }));
}

/** A card of its own for each way, issued as a station does. */
async function prepare(way: Way): Promise<SealedProfile> {
  const state = `${dir}/${way}.state`;
  lab.card = await startSoftcard(lab.machine, { state, pin: PIN });
  const session = await openCard(readerName);
  try {
    const piv = await selectPiv(session);
    const cardId = await piv?.cardId();
    if (piv === undefined || cardId === undefined) throw new Error("a software card is a PIV card");
    const challenge = new Uint8Array(randomBytes(16));
    await piv.authenticateManagement({ key: FACTORY_MANAGEMENT_KEY, challenge });
    const sealedTo = { slot: 0x9d, publicKey: await p256(piv, 0x9d) };
    const pair = makeWireGuardKey();
    const own = way === "on-card"
      ? (await piv.generateKey(0x82, { algorithm: PIV_ALGORITHM.x25519 })).toBase64()
      : undefined;
    const profile: Profile = {
      ...profileFor(cardId),
      identity: identityOf(own ?? pair.publicKey, way),
    };
    const ways: Partial<SealOptions> = way === "password"
      ? { password: PASSWORD }
      : way === "split"
      ? {
        sealedTo,
        split: {
          hub: `127.0.0.1:${hubPort()}`,
          hubKey: hubKey(),
          proofSlot: 0x9a,
          proofKey: await p256(piv, 0x9a),
        },
      }
      : { sealedTo };
    const keys = own === undefined ? { privateKey: pair.privateKey } : {};
    const sealed = await sealProfile({ profile, ...keys }, { issuer: signer, ...ways });
    if (sealed.hubShare !== undefined) {
      await Deno.writeFile(`${dir}/shares/one.share`, sealed.hubShare, { mode: 0o600 });
      await shares.reload();
    }
    await writeProfileToCard(piv, sealed);
    return sealed;
  } finally {
    await session.close("reset");
  }
}

async function byCard(way: Way): Promise<number> {
  const session = await openCard(readerName);
  try {
    const look = await lookAtCard(session, {
      issuerKeys,
      now: Date.now(),
      askGateway: () => Promise.resolve({ highest: 0, revoked: false }),
      onFault: (message) => console.error(message),
    });
    if (!("ready" in look)) throw new Error(`The card is ${JSON.stringify(look.report)}`);
    const secrets = new EngineSecrets();
    const start = performance.now();
    secrets.keepPin(new TextEncoder().encode(PIN));
    const unlocked = await unlock(look.ready, { issuerKeys, secrets, onTouch: () => {} });
    if (unlocked.result === "failed") throw new Error(JSON.stringify(unlocked.why));
    if (way === "on-card") await firstHandshake(look.ready);
    const took = performance.now() - start;
    secrets.wipe();
    return took;
  } finally {
    await session.close("reset");
  }
}

/** The static and the ephemeral key of the server, each with the card's static key. */
async function firstHandshake({ card }: ReadyCard): Promise<void> {
  if (card.application !== "piv") throw new Error("The bench's card is a PIV card");
  for (let i = 0; i < 2; i++) {
    const peer = Uint8Array.fromBase64(server.publicKey);
    (await card.client.agree(0x82, { algorithm: PIV_ALGORITHM.x25519, peer })).fill(0);
  }
}

async function byPassword({ head, sealed }: SealedProfile): Promise<number> {
  const checked = await checkHead(head, {
    issuerKeys,
    cardId: await passwordCard(head),
    now: NOW,
    highestGeneration: 0,
  });
  if (checked.result !== "ok") throw new Error(`The head is ${checked.result}`);
  using secrets = SecretMemory.allocate(64);
  const start = performance.now();
  const opened = await openProfile({
    sealed,
    head: checked.head,
    identity: passwordIdentity(PASSWORD),
    secrets,
    issuerKeys,
  });
  if (opened.result !== "ok") throw new Error(`The profile is ${opened.fault}`);
  return performance.now() - start;
}

/** Whose it is: a stick has no card that would say. */
function passwordCard(head: Uint8Array): Promise<string> {
  const [, payload = ""] = new TextDecoder().decode(head).split(".");
  const bytes = Uint8Array.fromBase64(payload, { alphabet: "base64url" });
  return Promise.resolve(JSON.parse(new TextDecoder().decode(bytes)).cardId);
}

async function p256(piv: PivClient, slot: number): Promise<Uint8Array> {
  const point = await piv.generateKey(slot, { algorithm: PIV_ALGORITHM.eccP256 });
  const publicKey = compressPoint(point);
  if (publicKey === undefined) throw new Error("a card's new key is a point");
  return publicKey;
}

function identityOf(publicKey: string, way: Way): Profile["identity"] {
  return way === "on-card"
    ? { kind: "on-card", slot: 0x82, publicKey }
    : { kind: "sealed", publicKey };
}

function profileFor(cardId: string): Omit<Profile, "identity"> {
  return {
    ...{ v: 1, id: "bench", cardId, generation: NOW, issuedAt: NOW, expiresAt: NOW + 86_400 },
    ...{ user: { id: "alice", name: "Alice" }, clientId: "alice", serverId: "hub" },
    tunnel: { addresses: ["10.77.0.2/32"], dns: [] },
    server: { publicKey: server.publicKey, endpoints: ["192.0.2.1:51820"], hasPresharedKey: false },
    destinations: { networks: ["10.20.0.0/16"], domains: [] },
    ...{ otherTraffic: "drop", suite: "wireguard-1" } as const,
  };
}

function hubSecret(): Uint8Array {
  return new Uint8Array(32).fill(0x42);
}

function hubKey(): Uint8Array {
  return x25519.getPublicKey(hubSecret());
}

function hubPort(): number {
  return 35_999;
}

async function startHub(): Promise<Shares> {
  await Deno.mkdir(`${dir}/shares`, { mode: 0o700 });
  await Deno.writeTextFile(`${dir}/shares.key`, `${hubSecret().toBase64()}\n`, { mode: 0o600 });
  return await Shares.open({
    listen: { hostname: "127.0.0.1", port: hubPort() },
    private_key_file: `${dir}/shares.key`,
    folder: `${dir}/shares`,
  }, {
    issuerKeys,
    revocations: await RevocationFiles.open([], { issuerKeys, folder: `${dir}/kept` }),
    say: () => {},
  });
}
