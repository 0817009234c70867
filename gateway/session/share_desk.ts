/**
 * The gateway's side of the shared card: which terminals may use it, the leases of programs that
 * come over the web, and what the journal hears. Commands pass through as they are; a PIN passes
 * sealed to the engine.
 */
import { assertNever } from "../../os/assert_never.ts";
import type { FromEngine, ToEngine } from "../engine/messages.ts";
import { whyClosed } from "./share_closed.ts";
import { LONGEST_WAIT } from "../../token/share/limits.ts";
import { KeptRequests } from "./kept_requests.ts";
import { type Answer, LeaseTickets, type Ticket } from "./lease_tickets.ts";
import { ShareJournal, type WriteEntry } from "./share_journal.ts";
import { type ShareTerminal, ShareTerminals, type ShareTerminalsParts } from "./share_terminals.ts";
import type { ShareNews } from "./shell.ts";
import type {
  LeaseAnswer,
  LeaseDesk,
  LeaseEndReason,
  LeaseRefused,
  LeaseView,
  SealedPin,
  SessionPhase,
  SharePerson,
  ShareView,
} from "../view.ts";

export interface ShareDeskParts extends ShareTerminalsParts {
  /** Where the session stands: why nothing is lent. */
  readonly phase: () => SessionPhase;
  /** The card whose genuine profile the engine that runs has found. */
  readonly cardId: () => string | undefined;
  readonly limits: { readonly idleMs: number; readonly hardMs: number };
  readonly send: (message: ToEngine) => void;
  readonly certify: (publicKey: Uint8Array) => Promise<string>;
  readonly record: WriteEntry;
  readonly onChange: () => void;
  readonly onPinWanted: (why: string) => void;
}

/** A program that waits and says nothing for so long has given up. */
const SILENT_MS = 30_000;
/** Leases that have ended are told apart from those that never were for so long. */
const REMEMBERED_MS = 60_000;
/** A card that is free is granted in the answer to the request itself. */
const GRANT_PATIENCE_MS = 300;
/** How long an exchange may take, the card's own bound and the engine's work included. */
const EXCHANGE_MS = 20_000;

type ShareState = Extract<FromEngine, { type: "share" }>;
export class ShareDesk implements LeaseDesk {
  readonly #parts: ShareDeskParts;
  readonly #terminals: ShareTerminals;
  readonly #journal: ShareJournal;
  readonly #tickets = new LeaseTickets();
  readonly #kept = new KeptRequests();
  readonly #timer: ReturnType<typeof setInterval>;
  #nextExchange = 1;
  #state: { readonly said: ShareState; readonly at: number } | undefined;

  constructor(parts: ShareDeskParts) {
    this.#parts = parts;
    this.#terminals = new ShareTerminals(parts);
    this.#journal = new ShareJournal(parts.record);
    this.#timer = setInterval(() => this.#sweep(), 1_000);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#kept.drop();
    this.engineEnded();
  }

  /** The card is gone, and with it every lease; or its PIN is asked for again, and requests wait. */
  engineEnded(): void {
    this.#state = undefined;
    const keep = this.#kept.engineEnded();
    for (const ticket of this.#tickets.all()) {
      if (!keep || ticket.state.is !== "waiting") this.#tickets.end(ticket, "card-gone");
    }
    // The card may have gone before its engine did.
    this.sessionMoved(this.#parts.phase());
    if (this.#parts.terminals !== undefined) this.#parts.onChange();
  }

  /** To be called when the session moves: requests that wait for the PIN don't wait for ever. */
  sessionMoved(phase: SessionPhase): void {
    if (this.#kept.moved(phase)) this.#endWaiting("card-gone");
  }

  /** What everybody may see of the queue. */
  view(): ShareView | undefined {
    if (this.#parts.terminals === undefined) return undefined;
    const { idleMs, hardMs } = this.#parts.limits;
    const state = this.#state;
    if (state === undefined) {
      const closed = whyClosed(this.#parts.phase());
      const waiting = this.#tickets.waiting().map(({ terminal, askedAt }): SharePerson => ({
        ...{ terminal: terminal.key, label: terminal.label, way: "program", since: askedAt },
      }));
      const waitingInAll = waiting.length;
      return { open: false, closed, idleMs, hardMs, waiting: waiting.slice(0, 100), waitingInAll };
    }
    const { said, at } = state;
    const person = (one: ShareState["waiting"][number]): SharePerson => ({
      terminal: one.terminal,
      label: one.label,
      way: one.way,
      since: at - one.waitedMs,
    });
    return {
      ...{ open: said.open, idleMs, hardMs },
      ...(said.open ? {} : { closed: whyClosed(this.#parts.phase()) }),
      ...(said.holder === undefined ? {} : {
        holder: {
          ...person(said.holder),
          since: at - said.holder.heldMs,
          until: at + said.holder.leftMs,
        },
      }),
      waiting: said.waiting.map(person),
      waitingInAll: said.waitingInAll,
      atr: said.atr,
      pin: said.pin,
    };
  }

  /** Whose terminal this is, if it may use the card. */
  terminalAt(address: string): Promise<ShareTerminal | undefined> {
    return this.#terminals.at(address);
  }

  /** Asks for the card. */
  async request(address: string): Promise<LeaseView | { refused: LeaseRefused }> {
    if (this.#parts.terminals === undefined) return { refused: "not-shared" };
    const terminal = await this.terminalAt(address);
    if (terminal === undefined) {
      this.#journal.refused(address, "not a terminal that may use the card");
      return { refused: "not-allowed" };
    }
    if (this.#state?.said.open !== true) return { refused: whyClosed(this.#parts.phase()) };
    const ticket = this.#tickets.open(terminal);
    if (ticket === undefined) return { refused: "too-many" };
    this.#parts.send({ type: "lease-request", ticket: ticket.number, terminal });
    await this.#tickets.changed(ticket, GRANT_PATIENCE_MS);
    return this.#viewOf(ticket);
  }

  /** A lease of this terminal; `waitMs` waits for a change while it isn't granted. */
  async lease(
    id: string,
    { address, waitMs = 0 }: { address: string; waitMs?: number },
  ): Promise<LeaseView | undefined> {
    const ticket = await this.#own(id, address);
    if (ticket === undefined) return undefined;
    if (waitMs > 0 && ticket.state.is === "waiting") await this.#tickets.changed(ticket, waitMs);
    ticket.heardAt = Date.now();
    return this.#viewOf(ticket);
  }

  /** Tells every change of a lease until `stop` is called. */
  watch(id: string, onChange: (lease: LeaseView) => void): () => void {
    const ticket = this.#tickets.named(id);
    if (ticket === undefined) return () => {};
    const tell = () => {
      ticket.heardAt = Date.now();
      onChange(this.#viewOf(ticket));
    };
    ticket.watchers.add(tell);
    const alive = setInterval(() => ticket.heardAt = Date.now(), SILENT_MS / 3);
    return () => {
      clearInterval(alive);
      ticket.watchers.delete(tell);
    };
  }

  async exchange(
    id: string,
    { address, apdu }: { address: string; apdu: Uint8Array },
  ): Promise<LeaseAnswer> {
    const ticket = await this.#own(id, address);
    if (ticket === undefined) return { is: "fault", fault: "no-lease" };
    return await this.#ask(ticket, (exchange) => ({
      ...{ type: "lease-command", ticket: ticket.number, exchange },
      apdu: base64url(apdu),
    }));
  }

  /** Shows a sealed PIN to the application that is selected; the answer is the card's status word. */
  async verify(
    id: string,
    { address, sealed, reference }: { address: string; sealed: SealedPin; reference: number },
  ): Promise<LeaseAnswer> {
    const ticket = await this.#own(id, address);
    if (ticket === undefined) return { is: "fault", fault: "no-lease" };
    if (sealed.engine !== this.#state?.said.pin.engine) {
      return { is: "fault", fault: "not-sealed-to-me" };
    }
    return await this.#ask(ticket, (exchange) => ({
      ...{ type: "lease-pin", ticket: ticket.number, exchange, reference },
      enc: base64url(sealed.enc),
      ciphertext: base64url(sealed.ciphertext),
    }));
  }

  /** Gives the card back, or gives up waiting. */
  async release(id: string, address: string): Promise<boolean> {
    const ticket = await this.#own(id, address);
    if (ticket === undefined) return false;
    this.#leave(ticket);
    if (ticket.state.is !== "ended") await this.#tickets.changed(ticket, 1_000);
    return true;
  }

  /** Takes back all that a terminal holds or waits for, whatever way it came by. */
  async giveUp(address: string): Promise<boolean> {
    const terminal = await this.terminalAt(address);
    if (terminal === undefined) return false;
    if (this.#kept.areWaiting) this.#endWaiting("gave-up", terminal.key);
    this.#parts.send({ type: "terminal-leave", terminal: terminal.key });
    return true;
  }

  revoke(by: string): boolean {
    const holder = this.#state?.said.holder;
    if (holder === undefined) return false;
    this.#parts.record("warning", "lease-revoked", { terminal: holder.label, by });
    this.#parts.send({ type: "lease-revoke" });
    return true;
  }

  /** Takes what an engine says about its card's lending. */
  hear(message: ShareNews): void {
    switch (message.type) {
      case "share":
        this.#state = { said: message, at: Date.now() };
        if (message.open) this.#goOn();
        this.#parts.onChange();
        return;
      case "share-key":
        void this.#certify(message.publicKey);
        return;
      case "reader-asked":
        void this.#identify(message);
        return;
      case "lease-refused":
        return this.#settle(message.ticket, (ticket) => this.#tickets.end(ticket, message.why));
      case "lease-granted":
        return this.#settle(message.ticket, (ticket) => {
          const until = Date.now() + message.lastsMs;
          ticket.state = { is: "granted", until, idleMs: message.idleMs };
        });
      case "lease-over":
        return this.#settle(message.ticket, (ticket) => this.#tickets.end(ticket, message.reason));
      case "lease-response": {
        const ticket = this.#tickets.numbered(message.ticket);
        ticket?.exchanges.get(message.exchange)?.(message.answer);
        ticket?.exchanges.delete(message.exchange);
        return;
      }
      case "lease-began": {
        const { terminal, way, waitedMs } = message;
        this.#parts.record("info", "lease-began", {
          ...{ terminal: terminal.label, id: terminal.key, way, waitedMs },
        });
        return;
      }
      case "lease-ended":
        this.#journal.ended(message);
        return;
      case "reader-refused": {
        const { address, why } = message;
        this.#journal.refused(address, why);
        return;
      }
      case "pin-wanted":
        this.#kept.begin(this.#parts.cardId());
        this.#parts.onPinWanted(message.why);
        return;
      default:
        assertNever(message);
    }
  }

  /** Requests that have waited for the PIN, to the engine that now has it, in their order. */
  #goOn(): void {
    const next = this.#kept.lent(this.#parts.cardId());
    if (next === "end") return this.#endWaiting("card-gone");
    if (next === "nothing") return;
    for (const { number, terminal } of this.#tickets.waiting()) {
      this.#parts.send({ type: "lease-request", ticket: number, terminal });
    }
  }

  /** Of one terminal, or of all. */
  #endWaiting(reason: LeaseEndReason, terminal?: string): void {
    for (const ticket of this.#tickets.waiting()) {
      const isMeant = terminal === undefined || ticket.terminal.key === terminal;
      if (isMeant) this.#tickets.end(ticket, reason);
    }
    this.#parts.onChange();
  }

  #leave(ticket: Ticket): void {
    if (this.#kept.areWaiting) return this.#tickets.end(ticket, "gave-up");
    this.#parts.send({ type: "lease-leave", ticket: ticket.number });
  }

  #settle(number: number, change: (ticket: Ticket) => void): void {
    const ticket = this.#tickets.numbered(number);
    if (ticket === undefined) return;
    change(ticket);
    this.#tickets.tell(ticket);
  }

  async #ask(ticket: Ticket, message: (exchange: number) => ToEngine): Promise<LeaseAnswer> {
    if (ticket.state.is !== "granted") return { is: "fault", fault: "no-lease" };
    ticket.heardAt = Date.now();
    const exchange = this.#nextExchange++;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const answer = await new Promise<Answer>((resolve) => {
      ticket.exchanges.set(exchange, resolve);
      timer = setTimeout(() => resolve({ is: "fault", fault: "no-lease" }), EXCHANGE_MS);
      this.#parts.send(message(exchange));
    });
    clearTimeout(timer);
    ticket.exchanges.delete(exchange);
    if (answer.is === "fault") return answer;
    return {
      is: "response",
      apdu: Uint8Array.fromBase64(answer.apdu, { alphabet: "base64url" }),
    };
  }

  /** The ticket, to nobody but the terminal that asked for it. */
  async #own(id: string, address: string): Promise<Ticket | undefined> {
    const ticket = this.#tickets.named(id);
    if (ticket === undefined) return undefined;
    const terminal = await this.terminalAt(address);
    return terminal?.key === ticket.terminal.key ? ticket : undefined;
  }

  #viewOf(ticket: Ticket): LeaseView {
    const { id, state } = ticket;
    switch (state.is) {
      case "waiting": {
        const said = this.#state?.said;
        const place = said?.waiting.findIndex((one) => one.ticket === ticket.number) ?? -1;
        const ahead = said?.holder;
        return {
          ...{ id, state: "waiting" },
          ...(place < 0 ? {} : { place: place + 1 }),
          ...(ahead === undefined ? {} : { holder: ahead.label }),
        };
      }
      case "granted":
        return {
          ...{ id, state: "granted", until: state.until, idleMs: state.idleMs },
          ...(this.#state === undefined ? {} : { atr: this.#state.said.atr }),
        };
      case "ended":
        return { id, state: "ended", reason: state.reason };
    }
  }

  async #identify({ link, address }: { link: number; address: string }): Promise<void> {
    const terminal = await this.terminalAt(address);
    this.#parts.send({
      ...{ type: "reader-answer", link },
      ...(terminal === undefined ? {} : { terminal }),
    });
  }

  async #certify(publicKey: string): Promise<void> {
    const spki = Uint8Array.fromBase64(publicKey, { alphabet: "base64url" });
    try {
      this.#parts.send({ type: "share-certificate", chain: await this.#parts.certify(spki) });
    } catch (error) {
      this.#journal.uncertified(error);
    }
  }

  #sweep(): void {
    const now = Date.now();
    for (const ticket of this.#tickets.all()) {
      const silent = now - ticket.heardAt;
      if (ticket.state.is === "waiting" && silent > SILENT_MS) this.#leave(ticket);
      if (this.#kept.areWaiting && now - ticket.askedAt > LONGEST_WAIT) {
        this.#tickets.end(ticket, "waited-too-long");
      }
      if (ticket.state.is === "ended" && silent > REMEMBERED_MS) this.#tickets.forget(ticket);
    }
  }
}

function base64url(value: Uint8Array): string {
  return value.toBase64({ alphabet: "base64url", omitPadding: true });
}
