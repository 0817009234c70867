/** Programs' leases by their names: whose each is, where it stands, and who waits to hear of a change. */
import type { FromEngine } from "../engine/messages.ts";
import type { LeaseEndReason } from "../view.ts";
import type { ShareTerminal } from "./share_terminals.ts";

/** Leases of programs, waiting or not, ended ones included: of all terminals, and of one. */
const MOST_LEASES = 4_096;
const LEASES_OF_ONE = 128;

/** What came of one command. */
export type Answer = Extract<FromEngine, { type: "lease-response" }>["answer"];

export interface Ticket {
  readonly number: number;
  /** Unguessable; names the lease to its program. */
  readonly id: string;
  readonly terminal: ShareTerminal;
  state:
    | { readonly is: "waiting" }
    | { readonly is: "granted"; readonly until: number; readonly idleMs: number }
    | { readonly is: "ended"; readonly reason: LeaseEndReason };
  readonly askedAt: number;
  heardAt: number;
  readonly exchanges: Map<number, (answer: Answer) => void>;
  readonly watchers: Set<() => void>;
}

export class LeaseTickets {
  readonly #byId = new Map<string, Ticket>();
  readonly #byNumber = new Map<number, Ticket>();
  #next = 1;

  /** A new one that waits; undefined: there is no room. */
  open(terminal: ShareTerminal): Ticket | undefined {
    if (!this.#hasRoom(terminal.key)) return undefined;
    const askedAt = Date.now();
    const ticket: Ticket = {
      ...{ number: this.#next++, terminal, state: { is: "waiting" }, askedAt, heardAt: askedAt },
      id: crypto.getRandomValues(new Uint8Array(16)).toBase64({
        alphabet: "base64url",
        omitPadding: true,
      }),
      ...{ exchanges: new Map(), watchers: new Set() },
    };
    this.#byId.set(ticket.id, ticket);
    this.#byNumber.set(ticket.number, ticket);
    return ticket;
  }

  named(id: string): Ticket | undefined {
    return this.#byId.get(id);
  }

  numbered(number: number): Ticket | undefined {
    return this.#byNumber.get(number);
  }

  /** In the order in which they were asked for. */
  all(): Ticket[] {
    return [...this.#byId.values()];
  }

  waiting(): Ticket[] {
    return this.all().filter(({ state }) => state.is === "waiting");
  }

  forget(ticket: Ticket): void {
    this.#byId.delete(ticket.id);
    this.#byNumber.delete(ticket.number);
  }

  end(ticket: Ticket, reason: LeaseEndReason): void {
    if (ticket.state.is === "ended") return;
    ticket.state = { is: "ended", reason };
    ticket.heardAt = Date.now();
    for (const answer of ticket.exchanges.values()) answer({ is: "fault", fault: "no-lease" });
    ticket.exchanges.clear();
    this.tell(ticket);
  }

  /** Tells whoever watches. */
  tell(ticket: Ticket): void {
    for (const watcher of [...ticket.watchers]) watcher();
  }

  /** Resolves at the next change of the lease, or when the time is over. */
  changed(ticket: Ticket, waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        ticket.watchers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      ticket.watchers.add(done);
    });
  }

  /** One terminal's ended leases make room for its new ones, and never take another's. */
  #hasRoom(terminal: string): boolean {
    const own = this.all().filter((one) => one.terminal.key === terminal);
    const ended = own.filter(({ state }) => state.is === "ended");
    for (const oldest of ended.slice(0, Math.max(0, own.length + 1 - LEASES_OF_ONE))) {
      this.forget(oldest);
    }
    return own.length - ended.length < LEASES_OF_ONE && this.#byId.size < MOST_LEASES;
  }
}
