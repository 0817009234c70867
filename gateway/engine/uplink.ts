/** The engine's tunnel to the profile's server, and the grant that the gateway hears of. */
import { formatNetwork } from "../../os/ip_network.ts";
import { CardRefusedError } from "../../token/apdu/channel.ts";
import { SW } from "../../token/apdu/status.ts";
import { PIV_ALGORITHM } from "../../token/piv/constants.ts";
import type { PivClient } from "../../token/piv/client.ts";
import { parseInboundRule } from "../../token/profile/inbound.ts";
import type { Profile } from "../../token/profile/profile.ts";
import { type TouchedPiv, touchedPiv } from "../../token/touch.ts";
import {
  type Identity,
  parsePublicKey,
  type PeerConfig,
  type PreparedTunnel,
  type Tunnel,
} from "../../tunnel/api.ts";
import { startTunnel } from "../../tunnel/tunnel.ts";
import type { Grant } from "../session/grant.ts";
import type { ReadyCard } from "./card.ts";
import { hostsOf, resolveEndpoints } from "./endpoints.ts";
import { DEFAULT_MTU } from "./limits.ts";
import type { FromEngine, ToEngine } from "./messages.ts";
import type { EngineSecrets } from "./secrets.ts";
import { sharedKey } from "./shared_key.ts";
import type { Unlocked } from "./unlock.ts";

export interface UplinkOptions {
  readonly unlocked: Unlocked;
  /** Needed where the identity is on the card. */
  readonly ready: Pick<ReadyCard, "card"> | undefined;
  readonly start: Extract<ToEngine, { type: "start" }>;
  readonly secrets: EngineSecrets;
  readonly prepared: PreparedTunnel;
  readonly onNotice: (message: string) => void;
  /** Whether the card is at the session's disposal, and not lent. */
  readonly mayUseCard: () => boolean;
  /** A handshake that this side began has ended well. */
  readonly onFreshSession: () => void;
  /** The tunnel ended without being told to. */
  readonly onClosed: (reason: string) => void;
}

export class Uplink {
  readonly grant: Grant;
  readonly #tunnel: Tunnel;

  private constructor(tunnel: Tunnel, grant: Grant) {
    this.#tunnel = tunnel;
    this.grant = grant;
  }

  /** Brings the tunnel up; whether the server answers shows with the first packet. */
  static async open(options: UplinkOptions): Promise<Uplink> {
    const { profile } = options.unlocked;
    const endpoints = await resolveEndpoints(profile.server.endpoints);
    let next = 0;
    const tunnel = await startTunnel({
      ifname: options.start.tunnelInterface,
      mtu: profile.tunnel.mtu ?? DEFAULT_MTU,
      ...(options.start.listenPort === undefined ? {} : { listenPort: options.start.listenPort }),
      identity: identityOf(options),
      peers: [peerOf(options.unlocked, endpoints[0])],
      keyMemory: {
        address: options.secrets.sessionKeys.address,
        length: options.secrets.sessionKeys.bytes.length,
      },
      prepared: options.prepared,
      kernel: options.start.kernel,
      announce: true,
      onEvent: (event) => {
        if (event.kind === "notice") options.onNotice(event.message);
        if (event.kind === "handshake-completed" && event.role === "initiator") {
          options.onFreshSession();
        }
        // A server of several addresses is tried at each in turn.
        const isSilent = event.kind === "handshake-failed" && event.reason === "no-answer";
        if (isSilent && endpoints.length > 1) {
          next = (next + 1) % endpoints.length;
          void tunnel.set({ peers: [endpointChange(profile, endpoints[next])] });
        }
      },
    });
    void tunnel.closed.then((reason) =>
      options.onClosed(reason.kind === "failed" ? reason.message : `the tunnel is ${reason.kind}`)
    );
    const listening = (profile.inbound ?? []).length === 0
      ? {}
      : { listening: { port: (await tunnel.get()).listenPort, peers: hostsOf(endpoints) } };
    return new Uplink(tunnel, { ...grantOf(options), ...listening });
  }

  /** Takes away at once the keys that aren't in this process's memory. */
  eraseNow(): void {
    this.#tunnel.eraseNow();
  }

  /** Makes a new session now, while the card is there. */
  rekey(): void {
    // A tunnel that has ended says so by itself.
    this.#tunnel.rekey().catch(() => {});
  }

  /** The tunnel's counters. */
  async report(): Promise<Extract<FromEngine, { type: "tunnel" }>> {
    const status = await this.#tunnel.get();
    const [peer] = status.peers;
    return {
      type: "tunnel",
      endpoint: peer?.endpoint ?? "",
      sentBytes: peer?.txBytes ?? 0,
      receivedBytes: peer?.rxBytes ?? 0,
      countedAt: Date.now(),
      lastHandshake: peer?.lastHandshake ?? 0,
      carrier: this.#tunnel.carrier,
      drops: { ...status.drops },
    };
  }
}

function identityOf({ unlocked, ready, secrets, mayUseCard }: UplinkOptions): Identity {
  const { identity } = unlocked.profile;
  if (identity.kind === "on-card") {
    if (ready?.card.application !== "piv") {
      throw new Error("Cannot start the tunnel: its identity is on a PIV card");
    }
    // Nobody is told: handshakes go on for as long as the session does.
    const { client } = ready.card;
    const agreeing = touchedPiv(client, () => {});
    return {
      kind: "remote",
      publicKey: parsePublicKey(identity.publicKey),
      async dh(peer, into) {
        // Between two commands of a terminal it would lose the terminal's state, or lend it ours.
        if (!mayUseCard()) throw new Error("Cannot ask the card: a terminal has it");
        await cardDh({ client, agreeing }, {
          slot: identity.slot,
          peer,
          into,
          secrets,
        });
      },
    };
  }
  if (unlocked.privateKey === undefined) {
    throw new Error("Cannot start the tunnel: the profile holds no private key");
  }
  return {
    kind: "local",
    privateKey: { address: unlocked.privateKey.address, length: 32 },
  };
}

interface CardDh {
  readonly slot: number;
  readonly peer: Uint8Array;
  readonly into: Uint8Array;
  readonly secrets: EngineSecrets;
}

/**
 * One X25519 on the card: SP 800-73 GENERAL AUTHENTICATE, key establishment. A card that lost its
 * PIN state (a reset between two handshakes) is shown the session's PIN once more.
 */
async function cardDh(
  { client, agreeing }: { client: PivClient; agreeing: TouchedPiv },
  { slot, peer, into, secrets }: CardDh,
): Promise<void> {
  const agree = () => agreeing.agree(slot, { algorithm: PIV_ALGORITHM.x25519, peer });
  let shared: Uint8Array;
  try {
    shared = await agree();
  } catch (error) {
    const lost = error instanceof CardRefusedError && error.sw === SW.SECURITY_STATUS_NOT_SATISFIED;
    if (!lost || secrets.pin.length === 0 || !await client.select()) throw error;
    const verified = await client.verifyPin(secrets.pin);
    if (verified.outcome !== "ok") {
      // It was right in this session and isn't any more: no second try is spent on it.
      secrets.forgetPin();
      throw error;
    }
    shared = await agree();
  }
  into.set(shared);
  shared.fill(0);
}

function peerOf(unlocked: Unlocked, endpoint: string | undefined): PeerConfig {
  const { server, destinations, tunnel } = unlocked.profile;
  const everything = destinations.domains.length > 0
    // Names may stand for any address; the switch lets pass only what was resolved for them.
    ? ["0.0.0.0/0", "::/0"]
    : [...destinations.networks, ...tunnel.dns, ...callersOf(unlocked.profile)];
  return {
    publicKey: parsePublicKey(server.publicKey),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(server.persistentKeepalive === undefined
      ? {}
      : { persistentKeepalive: server.persistentKeepalive }),
    ...sharedKey(unlocked),
    allowedIps: everything,
  };
}

/** Who may begin something: the tunnel must take their packets, and bring them the answers. */
function callersOf({ inbound = [] }: Profile): string[] {
  return inbound.map(parseInboundRule).filter((rule) => rule !== undefined)
    .map(({ from }) => formatNetwork(from));
}

function endpointChange(profile: Profile, endpoint: string | undefined): PeerConfig {
  return {
    publicKey: parsePublicKey(profile.server.publicKey),
    updateOnly: true,
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

function grantOf({ unlocked, start }: UplinkOptions): Grant {
  const { profile } = unlocked;
  return {
    holder: profile.user.name,
    cardId: profile.cardId,
    generation: profile.generation,
    expiresAt: profile.expiresAt * 1000,
    interface: start.tunnelInterface,
    identity: profile.identity.kind,
    ...(profile.suite === "wireguard-manual-1" ? { keys: "manual" } : {}),
    addresses: profile.tunnel.addresses,
    mtu: profile.tunnel.mtu ?? DEFAULT_MTU,
    dns: profile.tunnel.dns,
    networks: profile.destinations.networks,
    domains: profile.destinations.domains,
    otherTraffic: profile.otherTraffic,
    ...(profile.inbound === undefined ? {} : { inbound: profile.inbound }),
    endpoints: profile.server.endpoints,
  };
}
