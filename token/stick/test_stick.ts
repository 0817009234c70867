/** A whole stick in memory, for tests. */
import assert from "node:assert/strict";
import { makePasswordIdentity } from "../profile/age_identity.ts";
import { makeIssuerKey, readIssuerKey } from "../profile/issuer_key.ts";
import type { IssuerSigner } from "../profile/jws.ts";
import { type Profile, PROFILE_VERSION } from "../profile/profile.ts";
import { makeWireGuardKey } from "../profile/wireguard_key.ts";
import { cardIdOf } from "./head.ts";
import { AREA } from "./layout.ts";
import type { StickMedium } from "./medium.ts";
import { encodeTable, type Partition, SECTOR, TYPE_HIDDEN, TYPE_VISIBLE } from "./partition.ts";
import { sealHidden } from "./seal.ts";

export const SECTORS = 4096;
export const HIDDEN_AT = 1024 * SECTOR;
export const PASSWORD = new TextEncoder().encode("correct horse");
export const PROGRAM = new Uint8Array(200_000).map((_, at) => at * 31 >> 3);
export const NOW = 1_800_000_100;
export const PARTITIONS: readonly Partition[] = [
  {
    type: TYPE_VISIBLE,
    id: "01234567-89ab-cdef-0123-456789abcdef",
    firstSector: 64,
    sectors: 100,
    name: "Sekisho",
  },
  {
    type: TYPE_HIDDEN,
    id: "fedcba98-7654-3210-fedc-ba9876543210",
    firstSector: HIDDEN_AT / SECTOR,
    sectors: 2048,
    name: "Sekisho hidden",
  },
];

/** A stick in memory, and what was put there. */
export interface Sample {
  readonly disk: Uint8Array<ArrayBuffer>;
  readonly issuer: IssuerSigner;
  readonly privateKey: Uint8Array;
  readonly profile: Profile;
  /** The stick's own key. */
  readonly recipient: string;
  readonly programLength: number;
}

/** An issuer of its own. */
export async function makeIssuer(): Promise<IssuerSigner> {
  const issuer = await readIssuerKey(makeIssuerKey().file);
  assert.ok(issuer);
  return issuer;
}

/** Makes a stick; `sectors` of its hidden part. */
export async function makeSample(
  given?: IssuerSigner,
  { hiddenSectors = 2048 }: { hiddenSectors?: number } = {},
): Promise<Sample> {
  const issuer = given ?? await makeIssuer();
  const stick = crypto.getRandomValues(new Uint8Array(16)).toHex();
  const pair = makeWireGuardKey();
  const key = await makePasswordIdentity(PASSWORD, { workFactor: 4 });
  const profile: Profile = {
    v: PROFILE_VERSION,
    id: "01J0000000000000000000000A",
    cardId: cardIdOf(stick),
    generation: 5,
    issuedAt: 1_800_000_000,
    expiresAt: 1_900_000_000,
    user: { id: "alice", name: "Alice Example" },
    clientId: "alice",
    serverId: "hub",
    identity: { kind: "sealed", publicKey: pair.publicKey },
    tunnel: { addresses: ["10.77.0.2/32"], dns: [] },
    server: {
      publicKey: makeWireGuardKey().publicKey,
      endpoints: ["192.0.2.1:51820"],
      hasPresharedKey: false,
    },
    destinations: { networks: ["10.9.0.0/16"], domains: [] },
    otherTraffic: "drop",
    suite: "wireguard-1",
    recipients: [{ kind: "password", name: "password", recipient: key.recipient }],
  };
  const pieces = await sealHidden({
    stick,
    profile,
    keys: { privateKey: pair.privateKey },
    key,
    program: PROGRAM,
    programVersion: "1",
  }, { issuer, now: NOW });
  const sectors = SECTORS + hiddenSectors - 2048;
  const disk = new Uint8Array(sectors * SECTOR);
  const partitions = PARTITIONS.map((one) =>
    one.type === TYPE_HIDDEN ? { ...one, sectors: hiddenSectors } : one
  );
  const table = encodeTable(partitions, { sectors, id: PARTITIONS[0]?.id ?? "" });
  disk.set(table.front);
  disk.set(table.back, disk.length - table.back.length);
  for (const { at, bytes } of pieces) disk.set(bytes, HIDDEN_AT + at);
  const programLength = pieces.find(({ at }) => at === AREA.program)?.bytes.length ?? 0;
  const { recipient } = key;
  return { disk, issuer, privateKey: pair.privateKey, profile, recipient, programLength };
}

/** A disk in memory, as readers of sticks want it. */
export function mediumOf(disk: Uint8Array<ArrayBuffer>): StickMedium {
  return {
    sectors: Math.floor(disk.length / SECTOR),
    read: (at, length) => Promise.resolve(disk.slice(at, at + length)),
  };
}
