/** The appliance: readers, session, switch, LAN and store wired together, seen as a `GatewayView`. */
import about from "../deno.json" with { type: "json" };
import type { GatewayConfig } from "./config/gateway_config.ts";
import { holdInstance, type InstanceLock } from "../os/instance_lock.ts";
import { holdNetwork } from "../os/network_lock.ts";
import type { Lan, Terminal } from "./lan/api.ts";
import { createLan } from "./lan/lan.ts";
import { engineStart, issuerTexts } from "./engine_start.ts";
import { removeLeftoverTunnel } from "./leftover_tunnel.ts";
import { parseIssuerKey } from "../token/profile/jws.ts";
import { RevocationFiles } from "../token/profile/revocation_files.ts";
import { Readers } from "./readers.ts";
import { SessionNetwork } from "./session/network.ts";
import { ShareDesk } from "./session/share_desk.ts";
import { SessionShell } from "./session/shell.ts";
import type { ReaderState } from "./session/events.ts";
import { Sticks } from "./sticks.ts";
import type { Store } from "./store/api.ts";
import { openStore } from "./store/store.ts";
import { viewDrops, viewTerminals, viewTunnel } from "./status_views.ts";
import type { Switch, TerminalTraffic } from "./switch/api.ts";
import { createSwitch } from "./switch/switch.ts";
import { engineCertificate } from "./tls/box_certificate.ts";
import type { Uplink } from "./uplink/api.ts";
import { createUplink } from "./uplink/uplink.ts";
import type {
  DropCounts,
  GatewayEvent,
  GatewayStatus,
  GatewayView,
  JournalEntry,
  JournalLevel,
  PinOutcome,
  PinTarget,
  SealedPin,
  SessionPhase,
  ShareView,
} from "./view.ts";

/** How often counters are read and told, in milliseconds; also the beat of the dead man's switch. */
const BEAT_MS = 1_000;

interface Parts {
  readonly locks: readonly InstanceLock[];
  readonly store: Store;
  readonly switch: Switch;
  readonly uplink: Uplink;
  readonly lan: Lan;
  readonly revocations: RevocationFiles;
}

/**
 * Starts a gateway: locked first, then everything else.
 * @throws {Error} in one line when something that it needs is missing, or another one runs here.
 */
export async function startGateway(config: GatewayConfig): Promise<Gateway> {
  const locks = [await holdInstance(config.run, { role: "gateway" })];
  try {
    // The rules and routes are the network's, not the folder's.
    locks.push(holdNetwork({ role: "gateway" }));
    const store = openStore(config.state);
    const revocations = await RevocationFiles.open(config.token.revocations, {
      issuerKeys: issuerTexts(config).map(parseIssuerKey).filter((key) => key !== undefined),
      folder: `${config.state}/revocations`,
    });
    const parts: Parts = {
      locks,
      store,
      switch: createSwitch(config, {
        onFault: (error) => {
          store.journal.record("error", "network-fault", { reason: messageOf(error) });
        },
      }),
      uplink: createUplink(config),
      lan: createLan(config),
      revocations,
    };
    // Nothing may pass from the first moment on, whatever an earlier run left behind.
    parts.switch.apply(undefined);
    // Of a gateway that was killed together with its engine and the engine's guard.
    removeLeftoverTunnel(config, store);
    await parts.uplink.prepare();
    await parts.lan.start();
    return new Gateway(config, parts);
  } catch (error) {
    for (const lock of locks) lock.release();
    throw error;
  }
}

export class Gateway implements GatewayView {
  readonly #config: GatewayConfig;
  readonly #parts: Parts;
  readonly #network: SessionNetwork;
  readonly #session: SessionShell;
  readonly leases: ShareDesk;
  readonly #readers: Readers;
  readonly #sticks: Sticks;
  #cards: readonly ReaderState[] = [];
  readonly #startedAt = Date.now();
  readonly #listeners = new Set<(event: GatewayEvent) => void>();
  readonly #beat: ReturnType<typeof setInterval>;
  #terminals: readonly Terminal[] = [];
  #looking: Promise<void> | undefined;
  /** Why the last look at the LAN showed nothing. */
  #blindness: string | undefined;
  #drops: DropCounts = {};
  #traffic: ReadonlyMap<string, TerminalTraffic> = new Map();

  constructor(config: GatewayConfig, parts: Parts) {
    this.#config = config;
    this.#parts = parts;
    this.#network = new SessionNetwork(parts, (error) => {
      this.record("error", "network-fault", { reason: messageOf(error) });
    });
    const { idleMs, hardMs } = config.share ?? { idleMs: 0, hardMs: 0 };
    this.leases = new ShareDesk({
      ...{ terminals: config.share?.terminals, limits: { idleMs, hardMs } },
      phase: () => this.#session.phase,
      cardId: () => this.#session.cardId,
      send: (message) => this.#session.tellEngine(message),
      known: () => this.#terminals,
      look: () => this.#look(),
      certify: (publicKey) => engineCertificate(config, Uint8Array.from(publicKey)),
      record: (level, event, detail) => this.record(level, event, detail),
      onChange: () => {
        const share = this.leases.view();
        if (share !== undefined) this.#tell({ type: "share", share });
      },
      onPinWanted: (why) => this.#session.lock(why),
    });
    this.#session = new SessionShell({
      engineStart: (reader) => {
        return engineStart(config, { reader, stick: this.#sticks.deviceOf(reader) });
      },
      highestGeneration: (cardId) => parts.store.generations.highest(cardId),
      passkeysOf: (cardId) => parts.store.passkeys.of(cardId).map(({ word }) => word),
      keepPasskey: (added) => this.#keepPasskey(added),
      revocationOf: (profile) => parts.revocations.find(profile)?.reason,
      applyGrant: async (grant) => {
        await this.#network.open(grant);
        parts.store.generations.seen(grant.cardId, grant.generation);
      },
      revokeGrant: () => this.#network.close(),
      record: (level, event, detail) => this.record(level, event, detail),
      onPhase: (session) => {
        const { phase } = session;
        this.leases.sessionMoved(session);
        this.#network.suspend(phase === "suspended" || phase === "unlocking");
        this.#tell({ type: "session", session });
      },
      onShare: (message) => this.leases.hear(message),
      onEngineEnded: () => {
        this.leases.engineEnded();
        // Its guard does the same, unless it was killed too.
        if (config.tunnel.kernel !== "never") removeLeftoverTunnel(config, parts.store);
      },
    });
    this.record("info", "gateway-started", { version: about.version });
    const tellReaders = () => this.#session.readers([...this.#cards, ...this.#sticks.readers()]);
    this.#sticks = new Sticks(config.stick?.devices ?? [], { onChange: tellReaders });
    this.#readers = new Readers(config.reader?.name, {
      onChange: (readers) => {
        this.#cards = readers;
        tellReaders();
      },
      onLost: (reason) => this.record("warning", "reader-service-lost", { reason }),
    });
    this.#beat = setInterval(() => this.#onBeat(), BEAT_MS);
  }

  /** Ends the session, then everything else. The switch stays closed, and so do the routes without it. */
  async stop(): Promise<void> {
    clearInterval(this.#beat);
    await this.#session.stop();
    this.leases.stop();
    this.#sticks.stop();
    await this.#readers.stop();
    await this.#parts.lan.stop();
    await this.#network.settled();
    this.record("info", "gateway-stopped", {});
    this.#parts.store.close();
    for (const lock of this.#parts.locks) lock.release();
  }

  status(): GatewayStatus {
    const now = this.#session.grant;
    const share = this.leases.view();
    const { card } = this.#session;
    return {
      name: this.#config.name,
      version: about.version,
      now: Date.now(),
      startedAt: this.#startedAt,
      readers: [...this.#readers.view(), ...this.#sticks.view()],
      session: this.#session.phase,
      ...(card === undefined ? {} : { card }),
      terminals: viewTerminals(this.#terminals, this.#traffic),
      ...(now === undefined ? {} : { tunnel: viewTunnel(this.#config, now) }),
      ...(share === undefined ? {} : { share }),
      drops: viewDrops(this.#drops, now?.tunnel),
      warnings: this.#warnings(),
    };
  }

  session(): SessionPhase {
    return this.#session.phase;
  }

  share(): ShareView | undefined {
    return this.leases.view();
  }

  pinTarget(): PinTarget | undefined {
    return this.#session.pinTarget;
  }

  submitPin(sealed: SealedPin, from: string): Promise<PinOutcome> {
    return this.#session.submitPin(sealed, from);
  }

  giveUpPin(from: string): boolean {
    return this.#session.giveUpPin(from);
  }

  subscribe(listener: (event: GatewayEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  journal(query: { before?: number; limit?: number }): JournalEntry[] {
    return this.#parts.store.journal.read(query);
  }

  lock(by: string): Promise<void> {
    this.#session.lock(by);
    return Promise.resolve();
  }

  checkAdminPassword(password: string): Promise<boolean> {
    return this.#parts.store.settings.checkAdminPassword(password);
  }

  cookieKey(): Uint8Array {
    return this.#parts.store.settings.cookieKey();
  }

  ruleset(): Promise<string> {
    return Promise.resolve(this.#parts.switch.ruleset());
  }

  record(level: JournalLevel, event: string, detail: Record<string, string | number>): void {
    const entry = this.#parts.store.journal.record(level, event, detail);
    this.#tell({ type: "journal", entry });
  }

  #keepPasskey({ cardId, passkey }: { cardId: string; passkey: string }): boolean {
    try {
      const { name } = this.#parts.store.passkeys.keep(cardId, passkey);
      this.record("info", "passkey-added", { card: cardId, passkey: name });
      return true;
    } catch (error) {
      this.record("error", "passkey-not-kept", { reason: messageOf(error) });
      return false;
    }
  }

  #onBeat(): void {
    try {
      this.#network.refresh();
      // Read even when nobody looks: reading is what notices a ruleset that somebody took away.
      this.#drops = this.#parts.switch.drops();
      this.#traffic = new Map(this.#parts.switch.terminals().map((one) => [one.address, one]));
    } catch (error) {
      this.record("error", "network-fault", { reason: messageOf(error) });
    }
    void this.#lookAtRevocations();
    void this.#look();
    if (this.#listeners.size > 0) this.#tell({ type: "status", status: this.status() });
  }

  /** What was taken back ends within a second. */
  async #lookAtRevocations(): Promise<void> {
    for (const change of await this.#parts.revocations.look()) {
      if (change.kind === "refused") {
        this.record("warning", "revocations-refused", { reason: change.reason });
      } else {
        const { number, entries } = change.list;
        this.record("info", "revocations-read", { number, entries: entries.length });
        this.#session.revocationsChanged();
      }
    }
  }

  /** With a port for sticks, a card reader need not be there; one that is named should. */
  #needsReader(): boolean {
    const { stick, reader } = this.#config;
    return stick === undefined || reader !== undefined || this.#cards.length > 0;
  }

  /** Who is on the LAN; one look at a time, however slow. What can't be seen now was as it is known. */
  #look(): Promise<void> {
    return this.#looking ??= this.#parts.lan.terminals().then(
      (terminals) => {
        this.#terminals = terminals;
        this.#blindness = undefined;
      },
      (error) => this.#cannotLook(messageOf(error)),
    ).finally(() => this.#looking = undefined);
  }

  /** Said once: the next look comes in a second. */
  #cannotLook(reason: string): void {
    if (reason === this.#blindness) return;
    this.#blindness = reason;
    this.record("error", "network-fault", { reason });
  }

  #tell(event: GatewayEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #warnings(): string[] {
    const journal = this.#parts.store.journal.warning;
    return [
      ...(this.#needsReader() ? this.#readers.warnings() : []),
      ...this.#parts.lan.warnings(),
      ...this.#parts.revocations.warnings(),
      ...(journal === undefined ? [] : [journal]),
    ];
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
