/**
 * A running hub: tunnel, ruleset, addresses. Nothing passes before the ruleset stands, and it stands
 * until the tunnel is gone.
 */
import { openNftables } from "../os/libnftables.ts";
import type { Nftables } from "../os/libnftables.ts";
import { SecretMemory } from "../os/secret_memory.ts";
import type { CloseReason, DeviceStatus, PublicKey, Tunnel } from "../tunnel/api.ts";
import { startTunnel } from "../tunnel/tunnel.ts";
import { Announced } from "./announced.ts";
import { ClientKeys } from "./client_keys.ts";
import { changeRoutes, clientAddresses, setUpInterface } from "./forwarding.ts";
import { type ClientConfig, type HubConfig, MAX_CLIENTS } from "./hub_config.ts";
import type { HubStatus } from "./hub_status.ts";
import { readKeyFile } from "./key_file.ts";
import { type ClientSecrets, peerChanges } from "./peers.ts";
import { noRuleset, ruleset, TABLE } from "./ruleset.ts";
import { Whereabouts } from "./whereabouts.ts";

/** What `TunnelOptions.keyMemory` asks for each peer. */
const KEY_MEMORY_PER_CLIENT = 4 * 64 + 128 + 256;
const KEY_MEMORY_OF_ALL = 128 + 128;

/** What the running interface is built on; another value needs another start. */
const FIXED = ["interface", "private_key_file", "addresses", "mtu", "run", "manual_state"] as const;

export class Hub {
  readonly closed: Promise<CloseReason>;
  readonly #tunnel: Tunnel;
  readonly #nftables: Nftables;
  readonly #memory: SecretMemory;
  readonly #whereabouts: Whereabouts;
  readonly #announced: Announced;
  readonly #startedAt = Date.now();
  #config: HubConfig;
  #keys: ClientKeys;

  private constructor(
    config: HubConfig,
    parts: {
      tunnel: Tunnel;
      nftables: Nftables;
      memory: SecretMemory;
      keys: ClientKeys;
      whereabouts: Whereabouts;
      announced: Announced;
    },
  ) {
    this.#config = config;
    this.#tunnel = parts.tunnel;
    this.#nftables = parts.nftables;
    this.#memory = parts.memory;
    this.#keys = parts.keys;
    this.#whereabouts = parts.whereabouts;
    this.#announced = parts.announced;
    this.closed = parts.tunnel.closed;
  }

  /** @throws {ConfigError} when the file of a key can't be used; {Error} when the system refuses. */
  static async start(config: HubConfig): Promise<Hub> {
    using undo = new DisposableStack();
    const keyMemory = KEY_MEMORY_OF_ALL + MAX_CLIENTS * KEY_MEMORY_PER_CLIENT;
    const memory = SecretMemory.allocate(64 + keyMemory);
    undo.defer(() => memory.free());
    const privateKey = memory.take(32);
    readKeyFile(config.private_key_file, privateKey.bytes);
    const sessionKeys = memory.take(keyMemory);
    const keys = undo.use(new ClientKeys(config.client));
    const announced = undo.use(
      new Announced(config.manual_state, (line) => console.error(line)),
    );
    announced.prepare(config.client);

    const nftables = undo.use(openNftables());
    const whereabouts = new Whereabouts((plan) => nftables.run(plan));
    whereabouts.reset(config.client, new Set());
    nftables.run(ruleset(config, { whereUnknown: whereabouts.unknown }));
    undo.defer(() => void nftables.run(noRuleset()));
    const tunnel = await startTunnel({
      ifname: config.interface,
      mtu: config.mtu,
      listenPort: config.listen_port,
      identity: { kind: "local", privateKey: { address: privateKey.address, length: 32 } },
      peers: peerChanges({ from: [], to: config.client }, secretsOf(keys, announced)),
      keyMemory: { address: sessionKeys.address, length: sessionKeys.bytes.length },
      onEvent: (event) => {
        if (event.kind === "endpoint-changed") whereabouts.heard(event.peer);
        if (event.kind === "announcement-taken") announced.take(event.peer, event.timestamp);
      },
    });
    try {
      await setUpInterface(config);
    } catch (error) {
      await tunnel.close();
      throw error;
    }
    undo.move();
    return new Hub(config, { tunnel, nftables, memory, keys, whereabouts, announced });
  }

  /**
   * Takes over what has changed; the sessions of clients that stay go on.
   * @throws when a change needs another start or can't be made; everything stays as it was.
   */
  async reload(next: HubConfig): Promise<void> {
    const before = this.#config;
    const fixed = FIXED.find((key) => String(next[key]) !== String(before[key]));
    if (fixed !== undefined) {
      throw new Error(`Cannot reload: ${fixed} has changed; restart the hub to use it`);
    }
    const known = endpointsKnown(await this.#tunnel.get());
    this.#announced.prepare(next.client);
    const keys = new ClientKeys(next.client);
    const enforce = (config: HubConfig) =>
      this.#nftables.run(ruleset(config, { whereUnknown: this.#whereabouts.unknown }));
    try {
      this.#whereabouts.reset(next.client, known);
      // While peers change hands, only those pass whom both configurations give the same.
      enforce({ ...next, client: unchanged(before.client, next.client) });
      await this.#tunnel.set({
        peers: peerChanges(
          { from: before.client, to: next.client },
          secretsOf(keys, this.#announced),
        ),
        ...(next.listen_port === before.listen_port ? {} : { listenPort: next.listen_port }),
      });
    } catch (error) {
      keys[Symbol.dispose]();
      // Somebody may have spoken meanwhile.
      const now = await this.#tunnel.get().then(endpointsKnown, () => known);
      this.#whereabouts.reset(before.client, now);
      enforce(before);
      throw error;
    }
    this.#keys[Symbol.dispose]();
    this.#keys = keys;
    this.#config = next;
    enforce(next);
    const routes = { from: clientAddresses(before), to: clientAddresses(next) };
    await changeRoutes(next.interface, routes);
  }

  async status(): Promise<HubStatus> {
    const device = await this.#tunnel.get();
    const peers = new Map(device.peers.map((peer) => [peer.publicKey, peer]));
    return {
      interface: this.#config.interface,
      publicKey: device.publicKey,
      listenPort: device.listenPort,
      startedAt: this.#startedAt,
      clients: this.#config.client.map((client) => {
        const peer = peers.get(client.public_key);
        return {
          name: client.name,
          publicKey: client.public_key,
          addresses: client.addresses,
          networks: client.networks,
          inbound: client.inbound,
          keys: client.manual_key_file === undefined ? "agreed" : "manual",
          endpoint: peer?.endpoint,
          connected: peer?.sessionAlive ?? false,
          lastHandshake: peer?.lastHandshake ?? 0,
          receivedBytes: peer?.rxBytes ?? 0,
          sentBytes: peer?.txBytes ?? 0,
        };
      }),
      packets: this.#packets(),
      drops: device.drops,
    };
  }

  async stop(): Promise<void> {
    await this.#tunnel.close();
    this.#nftables.run(noRuleset());
    this.#nftables[Symbol.dispose]();
    this.#keys[Symbol.dispose]();
    this.#announced[Symbol.dispose]();
    this.#memory.free();
  }

  #packets(): HubStatus["packets"] {
    const listed = this.#nftables.json(`list counters table ${TABLE}\n`);
    const count = (name: string) => {
      for (const one of listed as { counter?: { name: string; packets: number } }[]) {
        if (one.counter?.name === name) return one.counter.packets;
      }
      return 0;
    };
    const names = ["inward", "outward", "begun", "unreachable", "dropped"] as const;
    return Object.fromEntries(names.map((name) => [name, count(name)])) as HubStatus["packets"];
  }
}

function secretsOf(keys: ClientKeys, announced: Announced): ClientSecrets {
  return {
    of: (client) => keys.of(client),
    newerThan: (client) => announced.newerThan(client.public_key),
  };
}

function endpointsKnown({ peers }: DeviceStatus): Set<PublicKey> {
  return new Set(
    peers.filter(({ endpoint }) => endpoint !== undefined).map(({ publicKey }) => publicKey),
  );
}

function unchanged(before: readonly ClientConfig[], next: readonly ClientConfig[]): ClientConfig[] {
  const meaning = ({ public_key, addresses, networks, inbound }: ClientConfig) =>
    JSON.stringify([public_key, addresses, networks, inbound]);
  const known = new Set(before.map(meaning));
  return next.filter((client) => known.has(meaning(client)));
}
