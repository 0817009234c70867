/** A card with a key to seal to, an issuer and a profile, for tests of profiles. */
import { randomBytes } from "node:crypto";
import assert from "node:assert/strict";
import { type PivClient, selectPiv } from "../../token/piv/client.ts";
import { FACTORY_MANAGEMENT_KEY } from "../../token/piv/client_management.ts";
import { PIV_ALGORITHM } from "../../token/piv/constants.ts";
import { makeIssuerKey, readIssuerKey } from "../../token/profile/issuer_key.ts";
import type { IssuerSigner } from "../../token/profile/jws.ts";
import { compressPoint } from "../../token/profile/piv_p256.ts";
import { type Profile, PROFILE_VERSION } from "../../token/profile/profile.ts";
import { makeWireGuardKey } from "../../token/profile/wireguard_key.ts";
import type { CardKey } from "../../token/profile/types.ts";
import { CardInProcess } from "./card_channel.ts";

/** The PIN of sample cards. */
export const PIN = new TextEncoder().encode("123456");

export interface Sample {
  readonly card: CardInProcess;
  readonly piv: PivClient;
  readonly cardId: string;
  readonly sealedTo: CardKey;
  readonly issuer: IssuerSigner;
  readonly profile: Profile;
  readonly privateKey: Uint8Array;
  readonly presharedKey: Uint8Array;
}

/** A card whose management key is proven and whose slot 9D has a key; its PIN is not verified. */
export async function makeSample(): Promise<Sample> {
  const card = new CardInProcess();
  const piv = await selectPiv(card);
  assert.ok(piv);
  await administer(piv);
  const point = await piv.generateKey(0x9d, { algorithm: PIV_ALGORITHM.eccP256 });
  const publicKey = compressPoint(point);
  const cardId = await piv.cardId();
  assert.ok(publicKey && cardId);
  const pair = makeWireGuardKey();
  return {
    card,
    piv,
    cardId,
    sealedTo: { slot: 0x9d, publicKey },
    issuer: await makeIssuer(),
    profile: { ...sampleProfile(cardId), identity: { kind: "sealed", publicKey: pair.publicKey } },
    privateKey: pair.privateKey,
    presharedKey: new Uint8Array(randomBytes(32)),
  };
}

/** Proves the factory's management key. */
export async function administer(piv: PivClient): Promise<void> {
  const challenge = new Uint8Array(randomBytes(16));
  assert.ok(await piv.authenticateManagement({ key: FACTORY_MANAGEMENT_KEY, challenge }));
}

export async function makeIssuer(): Promise<IssuerSigner> {
  const issuer = await readIssuerKey(makeIssuerKey().file);
  assert.ok(issuer);
  return issuer;
}

function sampleProfile(cardId: string): Omit<Profile, "identity"> {
  return {
    v: PROFILE_VERSION,
    id: "01J0000000000000000000000A",
    cardId,
    generation: 5,
    issuedAt: 1_800_000_000,
    expiresAt: 1_900_000_000,
    user: { id: "alice", name: "Alice Examplé" },
    clientId: "alice",
    serverId: "hub",
    tunnel: { addresses: ["10.77.0.2/32", "fd77::2/128"], mtu: 1420, dns: ["10.9.0.53"] },
    server: {
      publicKey: makeWireGuardKey().publicKey,
      endpoints: ["vpn.example.org:51820", "[2001:db8::1]:51820"],
      persistentKeepalive: 25,
      hasPresharedKey: true,
    },
    destinations: { networks: ["10.9.0.0/16", "fd09::/32"], domains: ["office.example.org"] },
    otherTraffic: "drop",
    suite: "wireguard-1",
  };
}
