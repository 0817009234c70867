/** Runs the card session's core: its clock, its engine processes, its grants. */
import { assertNever } from "../../os/assert_never.ts";
import { type EngineProcess, startEngineProcess } from "../engine/host.ts";
import type { FromEngine, ToEngine } from "../engine/messages.ts";
import type {
  CardView,
  JournalLevel,
  PinOutcome,
  PinTarget,
  SealedPin,
  SessionPhase,
} from "../view.ts";
import type { EngineRun, ReaderState, SessionCommand, SessionEvent } from "./events.ts";
import type { Grant } from "./grant.ts";
import { SessionCore } from "./session.ts";

/** How often the calendar is looked at while a profile may expire: it may have been set meanwhile. */
const CALENDAR_MS = 10_000;

type ProfileName = Omit<Extract<FromEngine, { type: "generation-asked" }>, "type">;
export type TunnelReport = Extract<FromEngine, { type: "tunnel" }>;

/** The messages of an engine that are about lending its card. */
const SHARE_NEWS = [
  ...["share", "share-key", "reader-asked", "reader-refused", "pin-wanted"] as const,
  ...["lease-refused", "lease-granted", "lease-over", "lease-response"] as const,
  ...["lease-began", "lease-ended"] as const,
] as const;
export type ShareNews = Extract<FromEngine, { type: typeof SHARE_NEWS[number] }>;

export interface SessionDependencies {
  /** What an engine must know to start on this reader. */
  engineStart(reader: string): Extract<ToEngine, { type: "start" }>;
  highestGeneration(cardId: string): number;
  /** Why a profile was taken back; `undefined` when it wasn't. */
  revocationOf(profile: ProfileName): string | undefined;
  /** The words of the passkeys that are kept for a token. */
  passkeysOf(cardId: string): readonly string[];
  /** Keeps one; false when that failed. */
  keepPasskey(added: { readonly cardId: string; readonly passkey: string }): boolean;
  /** Opens the network for a grant; rejects when it can't, having taken everything back. */
  applyGrant(grant: Grant): Promise<void>;
  /** Closes the network at once; what takes longer goes on behind. */
  revokeGrant(): void;
  record(level: JournalLevel, event: string, detail: Record<string, string | number>): void;
  onPhase(phase: SessionPhase): void;
  /** What an engine says about lending its card. */
  onShare(message: ShareNews): void;
  /** No engine is left. */
  onEngineEnded(): void;
}

export class SessionShell {
  readonly #core = new SessionCore();
  readonly #deps: SessionDependencies;
  readonly #waiting = new Map<number, (outcome: PinOutcome) => void>();
  #engine: { run: EngineRun; process: EngineProcess } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ticket = 0;
  #grant: Grant | undefined;
  #tunnel: TunnelReport | undefined;
  #card: CardView | undefined;
  /** The genuine profile that an engine has found. */
  #profile: { readonly run: EngineRun; readonly name: ProfileName } | undefined;
  #idle: (() => void) | undefined;
  /** PINs that are to add a passkey, and what became of the one that was right. */
  readonly #adding = new Set<number>();
  #added: "added" | "not-added" | undefined;

  constructor(deps: SessionDependencies) {
    this.#deps = deps;
  }

  get phase(): SessionPhase {
    return this.#core.phase;
  }

  get pinTarget(): PinTarget | undefined {
    return this.#core.pinTarget;
  }

  /** The grant in force, and what its engine last said of the tunnel. */
  get grant(): { grant: Grant; tunnel?: TunnelReport } | undefined {
    if (this.#grant === undefined) return undefined;
    return this.#tunnel === undefined
      ? { grant: this.#grant }
      : { grant: this.#grant, tunnel: this.#tunnel };
  }

  /** What the last engine found out about the card, for as long as something is inserted. */
  get card(): CardView | undefined {
    const { phase } = this.#core.phase;
    return phase === "no-card" || phase === "no-reader" ? undefined : this.#card;
  }

  /** The card of the genuine profile that the engine which runs has found. */
  get cardId(): string | undefined {
    const { run } = this.#engine ?? {};
    return this.#profile?.run === run ? this.#profile?.name.cardId : undefined;
  }

  /** The engine's process id, while one runs. */
  get enginePid(): number | undefined {
    return this.#engine?.process.pid;
  }

  readers(readers: readonly ReaderState[]): void {
    this.#handle({ type: "readers", readers });
  }

  submitPin(sealed: SealedPin, from: string): Promise<PinOutcome> {
    const ticket = ++this.#ticket;
    return new Promise((resolve) => {
      this.#waiting.set(ticket, resolve);
      if (sealed.adds !== undefined) this.#adding.add(ticket);
      this.#handle({ type: "pin", ticket, from, sealed });
    });
  }

  /** Takes back a PIN of this terminal that waits; false when none does. */
  giveUpPin(from: string): boolean {
    if (!this.#core.hasWaitingPin(from)) return false;
    this.#handle({ type: "pin-given-up", from });
    return true;
  }

  /** To be called when what was taken back may have changed. */
  revocationsChanged(): void {
    if (this.#profile === undefined) return;
    const { run, name } = this.#profile;
    const reason = this.#deps.revocationOf(name);
    if (reason !== undefined) this.#handle({ type: "revoked", run, reason });
  }

  /** Says something about lending to the engine that runs, if one does. */
  tellEngine(message: ToEngine): void {
    this.#engine?.process.send(message);
  }

  lock(by: string): void {
    this.#handle({ type: "lock", by });
  }

  /** Ends the session for good; resolves when no engine is left. */
  async stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#idle = resolve);
    this.#handle({ type: "stop" });
    if (this.#engine !== undefined) await ended;
    clearTimeout(this.#timer);
  }

  #handle(event: SessionEvent): void {
    const date = Date.now();
    for (const command of this.#core.handle(event, performance.now(), { date })) {
      this.#obey(command);
    }
    this.#arm();
  }

  #obey(command: SessionCommand): void {
    switch (command.type) {
      case "start-engine":
        return this.#start(command.run, command.reader);
      case "end-engine":
        return this.#engine?.process.send({ type: "end" });
      case "kill-engine":
        return this.#engine?.process.kill();
      case "relay-pin":
        return this.#engine?.process.send({
          type: "pin",
          enc: base64url(command.sealed.enc),
          ciphertext: base64url(command.sealed.ciphertext),
          ...passkeyPart(command.sealed),
        });
      case "drop-pin":
        return this.#engine?.process.send({ type: "pin-drop" });
      case "answer-pin":
        this.#waiting.get(command.ticket)?.(this.#withPasskey(command));
        this.#waiting.delete(command.ticket);
        return;
      case "apply-grant":
        return this.#apply(command.run, command.grant);
      case "revoke-grant":
        this.#grant = undefined;
        this.#tunnel = undefined;
        return this.#deps.revokeGrant();
      case "journal":
        return this.#deps.record(command.level, command.event, command.detail);
      case "phase":
        return this.#deps.onPhase(command.phase);
      default:
        return assertNever(command);
    }
  }

  /** The outcome, and for whoever added a passkey what became of that. */
  #withPasskey({ ticket, outcome }: { ticket: number; outcome: PinOutcome }): PinOutcome {
    const wanted = this.#adding.delete(ticket);
    if (outcome.outcome !== "up" || !wanted) return outcome;
    const passkey = this.#added ?? "not-added";
    this.#added = undefined;
    return { ...outcome, passkey };
  }

  #start(run: EngineRun, reader: string): void {
    const process = startEngineProcess({
      onMessage: (message) => this.#hear(run, message),
      onEnded: (reason) => {
        if (this.#engine?.run === run) this.#engine = undefined;
        this.#deps.onEngineEnded();
        this.#handle({ type: "engine-ended", run, reason });
        if (this.#engine === undefined) this.#idle?.();
      },
    });
    this.#engine = { run, process };
    this.#card = undefined;
    this.#added = undefined;
    process.send(this.#deps.engineStart(reader));
  }

  #hear(run: EngineRun, message: FromEngine): void {
    if (isAboutSharing(message)) {
      if (this.#engine?.run === run) this.#deps.onShare(message);
      return;
    }
    switch (message.type) {
      case "hello":
        if (message.gaps.length > 0) {
          this.#deps.record("warning", "engine-unprotected", { missing: message.gaps.join(", ") });
        }
        return this.#handle({
          type: "engine-hello",
          run,
          engine: message.engine,
          publicKey: Uint8Array.fromBase64(message.publicKey, { alphabet: "base64url" }),
        });
      case "generation-asked":
        this.#profile = { run, name: message };
        return this.#engine?.process.send({
          type: "generation",
          highest: this.#deps.highestGeneration(message.cardId),
          passkeys: this.#deps.passkeysOf(message.cardId),
          revoked: this.#deps.revocationOf(message) !== undefined,
        });
      case "card":
        return this.#handle({ type: "engine-card", run, report: message.report });
      case "unlock-failed":
        return this.#handle({ type: "engine-unlock-failed", run, why: message.why });
      case "pin-waits": {
        const { label, leftMs } = message;
        return this.#handle({ type: "engine-pin-waits", run, label, leftMs });
      }
      case "pin-begins":
        return this.#handle({ type: "engine-pin-begins", run });
      case "unlock-goes-on":
        return this.#handle({ type: "engine-unlock-goes-on", run });
      case "tries":
        return this.#handle({ type: "engine-tries", run, triesLeft: message.triesLeft });
      case "touch":
        return this.#handle({ type: "engine-touch", run, wanted: message.wanted });
      case "card-facts":
        if (this.#engine?.run === run) this.#card = message.facts;
        return;
      case "passkey-added":
        this.#added = this.#deps.keepPasskey(message) ? "added" : "not-added";
        return;
      case "grant":
        return this.#handle({ type: "engine-grant", run, grant: message.grant });
      case "tunnel":
        if (this.#engine?.run === run) this.#tunnel = message;
        return;
      case "notice":
        return this.#deps.record("warning", "engine-notice", { message: message.message });
      case "card-gone":
        return this.#handle({ type: "engine-card-gone", run });
      case "slept":
        return this.#handle({ type: "engine-slept", run, sleptMs: message.sleptMs });
      default:
        return assertNever(message);
    }
  }

  #apply(run: EngineRun, grant: Grant): void {
    this.#grant = grant;
    this.#deps.applyGrant(grant).then(
      () => this.#handle({ type: "grant-applied", run }),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.#handle({ type: "grant-failed", run, reason });
      },
    );
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const { deadline, expiry } = this.#core;
    const delays = [
      ...(deadline === undefined ? [] : [deadline - performance.now()]),
      ...(expiry === undefined ? [] : [Math.min(expiry - Date.now(), CALENDAR_MS)]),
    ];
    if (delays.length === 0) return;
    const delay = Math.max(0, Math.ceil(Math.min(...delays)));
    this.#timer = setTimeout(() => this.#handle({ type: "tick" }), delay);
  }
}

function isAboutSharing(message: FromEngine): message is ShareNews {
  return (SHARE_NEWS as readonly string[]).includes(message.type);
}

/** What of a sealed message is about passkeys. */
function passkeyPart({ way, adds }: SealedPin) {
  if (adds === undefined) return way === undefined ? {} : { way };
  const { enc, ciphertext, name } = adds;
  return { adds: { enc: base64url(enc), ciphertext: base64url(ciphertext), name } };
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
