import type {
  GatewayEvent,
  GatewayStatus,
  GatewayView,
  JournalEntry,
  JournalLevel,
  LeaseDesk,
  PasskeyOffer,
  PinOutcome,
  PinTarget,
  SealedPin,
  SessionPhase,
  ShareView,
} from "../../gateway/view.ts";
import { equalBytes } from "../../token/constant_time.ts";
import { userIdDigest } from "../../token/pin/user_id.ts";
import { makePinOpener, type PinOpener } from "../../token/pin/seal.ts";

/** The administrator's password of a {@link FakeGateway}. */
export const FAKE_PASSWORD = "correct horse battery staple";

/**
 * A gateway in memory for tests of the web alone: it has one card whose PIN it knows, opens what
 * pages seal as an engine does, and moves when the test says so.
 */
export class FakeGateway implements GatewayView {
  readonly listeners = new Set<(event: GatewayEvent) => void>();
  readonly entries: JournalEntry[] = [];
  /** PINs that arrived, opened, and whose they were. */
  readonly pins: { pin: string; from: string }[] = [];
  readonly locks: string[] = [];
  passwordChecks = 0;
  pin = "123456";
  /** What the page has to send with the PIN; undefined: nothing. */
  userId: string | undefined;
  triesLeft = 3;
  holder = "Hanako Sato";
  /** What passkeys are good for; undefined: nothing. */
  passkey: PasskeyOffer | undefined;
  /** Who has the shared card: a PIN waits, until `giveBack` or until it is given up. */
  busy: string | undefined;
  #wait: ((outcome: "free" | "given-up") => void) | undefined;
  /** Changes to the next status. */
  patch: Partial<GatewayStatus> = {};
  #session: SessionPhase = { phase: "no-card" };
  readonly #opener: PinOpener;
  readonly #key = crypto.getRandomValues(new Uint8Array(32));
  readonly #startedAt = Date.now();

  private constructor(opener: PinOpener) {
    this.#opener = opener;
  }

  static async open(): Promise<FakeGateway> {
    return new FakeGateway(await makePinOpener(ENGINE));
  }

  /** Moves the session and tells everyone. */
  move(session: SessionPhase): void {
    this.#session = session;
    this.tell({ type: "session", session });
  }

  /** Tells a status, as the gateway does every second. */
  beat(patch: Partial<GatewayStatus> = {}): void {
    this.patch = { ...this.patch, ...patch };
    this.tell({ type: "status", status: this.status() });
  }

  tell(event: GatewayEvent): void {
    for (const listener of this.listeners) listener(event);
  }

  askPin(wrong = false): void {
    const { holder, triesLeft, userId } = this;
    const asksUserId = userId === undefined ? {} : { asksUserId: true as const };
    this.move({ phase: "pin-asked", holder, triesLeft, wrong, ...asksUserId });
  }

  status(): GatewayStatus {
    return {
      name: "Test gateway",
      version: "0.0.0",
      now: Date.now(),
      startedAt: this.#startedAt,
      readers: [{ name: "Test reader 00 00", card: "present" }],
      session: this.#session,
      terminals: [],
      drops: {},
      warnings: [],
      ...this.patch,
    };
  }

  session(): SessionPhase {
    return this.#session;
  }

  pinTarget(): PinTarget | undefined {
    if (this.#session.phase !== "pin-asked") return undefined;
    const { passkey } = this;
    return {
      engine: ENGINE,
      publicKey: this.#opener.publicKey,
      ...(passkey === undefined ? {} : { passkey }),
    };
  }

  async submitPin(sealed: SealedPin, from: string): Promise<PinOutcome> {
    if (this.#session.phase !== "pin-asked") return { outcome: "not-asked" };
    const opened = sealed.engine === ENGINE ? await this.#open(sealed) : undefined;
    if (opened === undefined) return { outcome: "stale" };
    const pin = new TextDecoder().decode(opened.pin);
    if (this.busy !== undefined && await this.#waitForCard(this.busy, from) === "given-up") {
      this.askPin();
      return { outcome: "given-up" };
    }
    this.pins.push({ pin, from });
    this.move({ phase: "unlocking", holder: this.holder });
    const isWrongId = opened.userId !== undefined && this.userId !== undefined &&
      !equalBytes(opened.userId, userIdDigest(this.userId));
    if (pin === this.pin && isWrongId) {
      this.askPin(true);
      return { outcome: "wrong-id-or-pin" };
    }
    if (pin !== this.pin) {
      this.triesLeft -= 1;
      if (this.triesLeft === 0) {
        this.move({ phase: "blocked", holder: this.holder });
        return { outcome: "blocked" };
      }
      this.askPin(true);
      if (this.userId !== undefined) return { outcome: "wrong-id-or-pin" };
      return { outcome: "wrong-pin", triesLeft: this.triesLeft };
    }
    const now = Date.now();
    this.move({ phase: "up", holder: this.holder, since: now, expiresAt: now + 86_400_000 * 365 });
    return { outcome: "up" };
  }

  #open(sealed: SealedPin): Promise<{ pin: Uint8Array; userId?: Uint8Array } | undefined> {
    if (this.userId !== undefined) return this.#opener.openWithId(sealed);
    return this.#opener.open(sealed).then((pin) => pin && { pin });
  }

  giveUpPin(from: string): boolean {
    const session = this.#session;
    if (session.phase !== "suspended" || session.from !== from) return false;
    if (this.#wait === undefined) this.askPin();
    this.#wait?.("given-up");
    return true;
  }

  /** The terminal that has the card gives it back. */
  giveBack(): void {
    this.busy = undefined;
    this.#wait?.("free");
  }

  #waitForCard(busy: string, from: string): Promise<"free" | "given-up"> {
    const { promise, resolve } = Promise.withResolvers<"free" | "given-up">();
    this.#wait = resolve;
    this.move({ phase: "suspended", holder: this.holder, busy, until: Date.now() + 60_000, from });
    return promise;
  }

  share(): ShareView | undefined {
    return this.patch.share;
  }

  /** A desk where nothing is shared; tests put their own in its place. */
  leases: LeaseDesk = {
    request: () => Promise.resolve({ refused: "not-shared" }),
    lease: () => Promise.resolve(undefined),
    watch: () => () => {},
    exchange: () => Promise.resolve({ is: "fault", fault: "no-lease" }),
    verify: () => Promise.resolve({ is: "fault", fault: "no-lease" }),
    release: () => Promise.resolve(false),
    giveUp: () => Promise.resolve(false),
    terminalAt: () => Promise.resolve(undefined),
    revoke: () => false,
  };

  subscribe(listener: (event: GatewayEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  journal({ before, limit = 200 }: { before?: number; limit?: number }): JournalEntry[] {
    return this.entries.filter(({ id }) => before === undefined || id < before).toReversed()
      .slice(0, Math.min(limit, 200));
  }

  lock(by: string): Promise<void> {
    this.locks.push(by);
    this.move({ phase: "no-card" });
    return Promise.resolve();
  }

  checkAdminPassword(password: string): Promise<boolean> {
    this.passwordChecks += 1;
    return Promise.resolve(password === FAKE_PASSWORD);
  }

  cookieKey(): Uint8Array {
    return this.#key;
  }

  ruleset(): Promise<string> {
    return Promise.resolve("table inet sekisho {\n  chain forwarding {\n    policy drop\n  }\n}\n");
  }

  record(level: JournalLevel, event: string, detail: Record<string, string | number>): void {
    const entry = { id: this.entries.length + 1, at: Date.now(), level, event, detail };
    this.entries.push(entry);
    this.tell({ type: "journal", entry });
  }
}

const ENGINE = "fake-engine-1";
