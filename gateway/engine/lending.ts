/** The lending of one engine's card, seen from its session: when it begins, and what comes back after each lease. */
import { KEY_REFERENCE, PIN_LENGTH, PIN_REFERENCE, PIV_INS } from "../../token/piv/constants.ts";
import { KEY_PAIR } from "../../token/openpgp/constants.ts";
import { makePinOpener, type PinOpener } from "../../token/pin/seal.ts";
import type { CardSession } from "../../token/pcsc/types.ts";
import { SHARED_APPLICATIONS } from "../../token/share/applications.ts";
import type { LeaseId } from "../../token/share/lease_events.ts";
import { assertNever } from "../../os/assert_never.ts";
import type { ReadyCard } from "./card.ts";
import type { FromEngine, ToEngine } from "./messages.ts";
import { makeReaderKey, serveReaders } from "./reader_server.ts";
import type { EngineSecrets } from "./secrets.ts";
import { type Exchanged, type LeaseReport, type LeaseTerminal, Sharing } from "./sharing.ts";
import type { ShareStart } from "./share_messages.ts";
import type { UnlockFailure } from "../session/events.ts";
import type { Unlocked } from "./unlock.ts";

type ShareMessage = Extract<ToEngine, {
  type:
    | "share-certificate"
    | "reader-answer"
    | "lease-request"
    | "lease-leave"
    | "lease-command"
    | "lease-pin"
    | "terminal-leave"
    | "lease-revoke"
    | "pin-drop";
}>;

const VERIFY = PIV_INS.verify;
/** PINs of eight bytes, FF behind: SP 800-73-4 part 2 section 2.4.3, and the purse's. */
const PADDED_REFERENCES: readonly number[] = [PIN_REFERENCE.global, PIN_REFERENCE.pin];
/** Those who wait are named up to here. */
const MOST_NAMED = 100;

export interface LendingParts {
  readonly engine: string;
  readonly share: ShareStart;
  readonly card: CardSession;
  readonly ready: ReadyCard;
  /** Of the PIN, as people were told. */
  readonly triesLeft: number;
  readonly secrets: EngineSecrets;
  readonly say: (message: FromEngine) => void;
  readonly notice: (message: string) => void;
  readonly rekey: () => void;
  readonly fail: (error: unknown) => void;
}

export class Lending {
  readonly #parts: LendingParts;
  readonly #sharing: Sharing;
  readonly #opener: Promise<PinOpener>;
  readonly #tickets = new Map<number, LeaseId>();
  readonly #asked = new Map<number, (terminal: LeaseTerminal | undefined) => void>();
  readonly #key: ReturnType<typeof makeReaderKey> | undefined;
  #chain: ((chain: string) => void) | undefined;
  readonly #certificate = new Promise<string>((resolve) => this.#chain = resolve);
  #nextLink = 1;
  #needsCard = false;
  #isServing = false;
  #isUnlocked = false;
  #triesLeft: number;

  constructor(parts: LendingParts) {
    this.#parts = parts;
    this.#triesLeft = parts.triesLeft;
    this.#opener = makePinOpener(this.#pinName);
    const { card, share } = parts;
    this.#key = share.reader === undefined ? undefined : makeReaderKey();
    this.#sharing = new Sharing({
      ...{ share, card, applications: SHARED_APPLICATIONS, rekey: parts.rekey, fail: parts.fail },
      restore: (wrongPins) => this.#restore(wrongPins),
      report: (report) => this.#report(report),
      onChange: () => void this.#tell(),
    });
  }

  /** Whether the card is at the session's disposal. */
  get mayUseCard(): boolean {
    return this.#sharing.isOwn;
  }

  /** The card was looked at; asks the gateway to vouch for this engine's TLS key. */
  async looked(): Promise<void> {
    const { share, ready } = this.#parts;
    if (this.#key !== undefined) {
      const { publicKey } = await this.#key;
      this.#parts.say({ type: "share-key", publicKey: base64url(publicKey) });
    }
    if (!share.beforeUnlock) return;
    this.#sharing.open("none", { protectedKeys: keysOf(ready) });
    await this.#serve();
  }

  /**
   * Waits for the lease in force to end, and keeps the card for a PIN until `giveOn` or `unlocked`.
   * A failure: the PIN isn't to be tried, and the card not kept.
   */
  async takeBack(): Promise<UnlockFailure | undefined> {
    const { share, ready: { card: { client } }, say } = this.#parts;
    const triesSeen = this.#triesLeft;
    const own = this.#sharing.ownWanted();
    const { holder } = this.#sharing.situation();
    const leftMs = Math.max(0, Math.ceil((holder?.hardAt ?? 0) - performance.now()));
    if (holder !== undefined) say({ type: "pin-waits", label: holder.label, leftMs });
    if (await own === "given-up") return { failure: "given-up" };
    if (holder !== undefined) say({ type: "pin-begins" });
    const triesLeft = this.#triesLeft;
    if (triesLeft <= 1 && triesLeft < triesSeen) {
      this.giveOn();
      return { failure: "last-try", triesLeft };
    }
    if (share.beforeUnlock) await client.select();
    return undefined;
  }

  /** The PIN that had the card did not open it; `triesLeft` if it cost one. */
  giveOn(triesLeft = this.#triesLeft): void {
    this.#triesLeft = triesLeft;
    this.#sharing.ownDone();
  }

  /** The session is up: from now on the card is lent. */
  unlocked({ profile }: Unlocked): void {
    const { identity } = profile;
    const isOnCard = identity.kind === "on-card";
    this.#needsCard = isOnCard;
    this.#isUnlocked = true;
    const protectedKeys = [...keysOf(this.#parts.ready), ...(isOnCard ? [identity.slot] : [])];
    this.#sharing.open(isOnCard ? "handshakes" : "none", { protectedKeys });
    this.#sharing.ownDone();
    if (this.#parts.share.pin === "ask" && !isOnCard) this.#parts.secrets.forgetPin();
    this.#serve().catch(this.#parts.fail);
  }

  sessionFresh(): void {
    this.#sharing.sessionFresh();
  }

  async hear(message: ShareMessage): Promise<void> {
    switch (message.type) {
      case "share-certificate":
        return this.#chain?.(message.chain);
      case "reader-answer":
        this.#asked.get(message.link)?.(message.terminal);
        this.#asked.delete(message.link);
        return;
      case "lease-request":
        return this.#request(message);
      case "lease-leave": {
        const lease = this.#tickets.get(message.ticket);
        if (lease !== undefined) this.#sharing.leave(lease);
        return;
      }
      case "lease-command":
        return await this.#command(message, bytes(message.apdu));
      case "lease-pin":
        return await this.#pin(message);
      case "terminal-leave":
        return this.#sharing.terminalLeaves(message.terminal);
      case "lease-revoke":
        return this.#sharing.revoke();
      case "pin-drop":
        // One that is being tried already is not taken out of the card.
        if (!this.#sharing.isOwn) this.#sharing.ownDone();
        return;
      default:
        return assertNever(message);
    }
  }

  #request({ ticket, terminal }: Extract<ShareMessage, { type: "lease-request" }>): void {
    const { say } = this.#parts;
    const { idleMs } = this.#sharing;
    let isRefused = false;
    const lease = this.#sharing.request({
      refused: (why) => {
        isRefused = true;
        say({ type: "lease-refused", ticket, why });
      },
      place: () => {},
      granted: (lastsMs) => say({ type: "lease-granted", ticket, lastsMs, idleMs }),
      ended: (reason) => {
        this.#tickets.delete(ticket);
        say({ type: "lease-over", ticket, reason });
      },
    }, { terminal, way: "program" });
    if (!isRefused) this.#tickets.set(ticket, lease);
  }

  async #command(
    { ticket, exchange }: { ticket: number; exchange: number },
    raw: Uint8Array,
    options: { sealed?: boolean } = {},
  ): Promise<void> {
    const lease = this.#tickets.get(ticket);
    const answer: Exchanged = lease === undefined
      ? { is: "fault", fault: "no-lease" }
      : await this.#sharing.exchange(lease, raw, options);
    this.#parts.say({
      ...{ type: "lease-response", ticket, exchange },
      answer: answer.is === "fault" ? answer : { is: "response", apdu: base64url(answer.apdu) },
    });
  }

  /** A PIN goes out as SP 800-73-4 has it where the reference is one of those, else as it is. */
  async #pin(message: Extract<ShareMessage, { type: "lease-pin" }>): Promise<void> {
    const { ticket, exchange, reference } = message;
    const opener = await this.#opener;
    const pin = await opener.open({
      enc: bytes(message.enc),
      ciphertext: bytes(message.ciphertext),
    });
    if (pin === undefined) {
      const answer = { is: "fault", fault: "not-sealed-to-me" } as const;
      return this.#parts.say({ type: "lease-response", ticket, exchange, answer });
    }
    const isBlock = PADDED_REFERENCES.includes(reference) && pin.length < PIN_LENGTH.longest;
    const length = isBlock ? PIN_LENGTH.longest : pin.length;
    const raw = new Uint8Array(5 + length).fill(PIN_LENGTH.padding);
    raw.set([0, VERIFY, 0, reference, length]);
    raw.set(pin, 5);
    pin.fill(0);
    await this.#command(message, raw, { sealed: true });
    raw.fill(0);
  }

  async #restore(wrongPins: number): Promise<void> {
    const { ready: { card: { client } }, secrets, notice, share } = this.#parts;
    await client.select();
    if (!this.#isUnlocked) return await this.#tellTries();
    if (!this.#needsCard && wrongPins === 0) return;
    if (share.pin === "ask" && this.#needsCard) {
      secrets.forgetPin();
      return await this.#askAgain("the card was lent");
    }
    if (secrets.pin.length === 0) return;
    const verified = await client.verifyPin(secrets.pin);
    if (verified.outcome === "ok") return;
    // It was right in this session and isn't any more: no second try is spent on it.
    secrets.forgetPin();
    notice("Cannot go on with the card after a lease: it refuses the holder's PIN");
    if (this.#needsCard) await this.#askAgain("the card refuses the PIN");
  }

  /** The gateway ends this engine for it: until then nobody else is granted the card. */
  #askAgain(why: string): Promise<never> {
    this.#parts.say({ type: "pin-wanted", why });
    return new Promise(() => {});
  }

  /** No PIN of the holder's gives tries back yet: what terminals left is what there is. */
  async #tellTries(): Promise<void> {
    const status = await this.#parts.ready.card.client.pinStatus();
    if (status.state === "verified") return;
    this.#triesLeft = status.state === "blocked" ? 0 : status.triesLeft;
    this.#parts.say({ type: "tries", triesLeft: this.#triesLeft });
  }

  async #serve(): Promise<void> {
    const { share: { reader }, card, say } = this.#parts;
    if (reader === undefined || this.#key === undefined || this.#isServing) return;
    this.#isServing = true;
    const [{ privatePem }, chain] = await Promise.all([this.#key, this.#certificate]);
    await serveReaders({
      ...{ addresses: reader.addresses, port: reader.port, card, sharing: this.#sharing },
      identify: (address) => this.#identify(address),
      onRefused: (address, why) => say({ type: "reader-refused", address, why }),
    }, { chain, privatePem });
  }

  #identify(address: string): Promise<LeaseTerminal | undefined> {
    const link = this.#nextLink++;
    return new Promise((resolve) => {
      this.#asked.set(link, resolve);
      this.#parts.say({ type: "reader-asked", link, address });
    });
  }

  #report({ terminal, way, waitedMs, over }: LeaseReport): void {
    this.#parts.say(
      over === undefined
        ? { type: "lease-began", terminal, way, waitedMs }
        : { type: "lease-ended", terminal, way, ...over },
    );
  }

  async #tell(): Promise<void> {
    const { publicKey } = await this.#opener;
    const { open, holder, waiting } = this.#sharing.situation();
    const now = performance.now();
    const tickets = new Map([...this.#tickets].map(([ticket, lease]) => [lease, ticket]));
    const person = (one: (typeof waiting)[number]) => {
      const ticket = tickets.get(one.lease);
      return {
        ...{ terminal: one.terminal, label: one.label, way: one.way },
        ...(ticket === undefined ? {} : { ticket }),
        waitedMs: Math.round(now - one.since),
      };
    };
    this.#parts.say({
      ...{ type: "share", open, atr: base64url(this.#parts.card.atr) },
      pin: { engine: this.#pinName, publicKey: base64url(publicKey) },
      ...(holder === undefined ? {} : {
        holder: {
          ...person(holder),
          heldMs: Math.max(0, Math.round(now - holder.grantedAt)),
          leftMs: Math.max(0, Math.round(holder.hardAt - now)),
        },
      }),
      waiting: waiting.slice(0, MOST_NAMED).map(person),
      waitingInAll: waiting.length,
    });
  }

  get #pinName(): string {
    return `${this.#parts.engine}/lease`;
  }
}

/** Keys whose results open what the session lives on. */
function keysOf({ card, head }: ReadyCard): number[] {
  if (card.application === "openpgp") return [KEY_PAIR.decryption];
  return [head.sealedTo?.slot ?? KEY_REFERENCE.keyManagement];
}

function bytes(base64: string): Uint8Array {
  return Uint8Array.fromBase64(base64, { alphabet: "base64url" });
}

function base64url(value: Uint8Array): string {
  return value.toBase64({ alphabet: "base64url", omitPadding: true });
}
