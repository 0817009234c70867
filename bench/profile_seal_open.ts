/**
 * Sealing and opening a profile beside the stock `age` tool: the same plaintext, to the same two
 * recipients. Ours signs and checks besides, and does it again and again in one process, as a station
 * does in a batch; `age` is a process each time, and counts whole, since whoever uses it pays for
 * that. `more.start` says what `age --version` takes: the rest is sealing or opening itself.
 * `deno run -A bench/profile_seal_open.ts [--pairs N]`
 */
import { randomBytes } from "node:crypto";
import { SecretMemory } from "../os/secret_memory.ts";
import { makeAgeKey, readAgeIdentity } from "../token/profile/age_identity.ts";
import { checkHead } from "../token/profile/head.ts";
import { makeIssuerKey, readIssuerKey } from "../token/profile/issuer_key.ts";
import { openProfile } from "../token/profile/open.ts";
import type { Profile } from "../token/profile/profile.ts";
import { sealProfile } from "../token/profile/seal.ts";
import { makeWireGuardKey } from "../token/profile/wireguard_key.ts";
import { compare, readPairs } from "./lib/compare.ts";

const TIMES = 40;
const AGE = "age";

const pairs = readPairs(7);
const issuer = await readIssuerKey(makeIssuerKey().file);
if (issuer === undefined) throw new Error("an issuer's key that was just made is one");
const [own, other] = [await makeAgeKey(), await makeAgeKey()];
const recipients = [own.recipient, other.recipient];
const pair = makeWireGuardKey();
const presharedKey = new Uint8Array(randomBytes(32));
const profile: Profile = {
  v: 1,
  id: "01JB000000000000000000000A",
  cardId: "00112233445566778899aabbccddeeff",
  generation: 1_900_000_000,
  issuedAt: 1_900_000_000,
  expiresAt: 2_000_000_000,
  user: { id: "alice", name: "Alice" },
  clientId: "alice",
  serverId: "hub",
  identity: { kind: "sealed", publicKey: pair.publicKey },
  tunnel: { addresses: ["10.77.0.2/32", "fd77::2/128"], dns: ["10.20.0.53"] },
  server: {
    publicKey: pair.publicKey,
    endpoints: ["hub.example.org:51820"],
    hasPresharedKey: true,
  },
  destinations: { networks: ["10.20.0.0/16", "fd20::/64"], domains: ["intra.example.org"] },
  otherTraffic: "drop",
  suite: "wireguard-1",
};
const dir = await Deno.makeTempDir();
const peerVersion = `age ${(await age(["--version"])).trim()}`;

try {
  const sample = await seal();
  await Deno.writeTextFile(`${dir}/own`, `${own.identity}\n`, { mode: 0o600 });
  await Deno.writeFile(`${dir}/sealed`, sample.sealed);
  await age(["-d", "-i", `${dir}/own`, "-o", `${dir}/plain`, `${dir}/sealed`]);
  const identity = await readAgeIdentity(new TextEncoder().encode(own.identity));
  if (typeof identity === "string") throw new Error("an identity that was just made is one");
  const claim = (name: string) => ({ name, unit: "ms", goal: { atMost: 1 } } as const);

  await compare(claim("profile_seal"), { pairs, peerVersion }, {
    measure: (make) =>
      make === "ours" ? ours(seal) : eachAge(() =>
        age([
          ...recipients.flatMap((one) => ["-r", one]),
          ...["-o", `${dir}/out`, `${dir}/plain`],
        ])
      ),
  });
  await compare(claim("profile_open"), { pairs, peerVersion }, {
    measure: (make) =>
      make === "ours"
        ? ours(async () => {
          using secrets = SecretMemory.allocate(64);
          const head = await checkHead(sample.head, {
            issuerKeys: [issuer.publicKey],
            cardId: profile.cardId,
            now: profile.issuedAt,
            highestGeneration: 0,
          });
          if (head.result !== "ok") throw new Error(`The head is ${head.result}`);
          const opened = await openProfile({
            sealed: sample.sealed,
            head: head.head,
            identity,
            secrets,
            issuerKeys: [issuer.publicKey],
          });
          if (opened.result !== "ok") throw new Error(`The profile is ${opened.fault}`);
        })
        : eachAge(() => age(["-d", "-i", `${dir}/own`, "-o", `${dir}/out`, `${dir}/sealed`])),
  });
} finally {
  await Deno.remove(dir, { recursive: true });
}

function seal() {
  if (issuer === undefined) throw new Error("an issuer's key that was just made is one");
  return sealProfile({ profile, privateKey: pair.privateKey, presharedKey }, {
    issuer,
    recovery: recipients,
  });
}

/** Nothing is started for one. */
async function ours(
  work: () => Promise<unknown>,
): Promise<{ value: number; more: Record<string, number> }> {
  return { ...await each(work), more: { start: 0 } };
}

/** Milliseconds for one, the first few left out. */
async function each(work: () => Promise<unknown>): Promise<{ value: number }> {
  for (let i = 0; i < 5; i++) await work();
  const start = performance.now();
  for (let i = 0; i < TIMES; i++) await work();
  return { value: (performance.now() - start) / TIMES };
}

/** The same for processes, and what it takes to start one. */
async function eachAge(
  work: () => Promise<unknown>,
): Promise<{ value: number; more: Record<string, number> }> {
  const { value } = await each(work);
  return { value, more: { start: (await each(() => age(["--version"]))).value } };
}

async function age(args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(AGE, { args }).output();
  if (!success) throw new Error(`age ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
