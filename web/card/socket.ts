/** One lease over one WebSocket: opening asks, closing gives back. */
import * as v from "valibot";
import type { GatewayView, LeaseView } from "../../gateway/view.ts";
import type { ListenerBudget } from "../shared/sse.ts";
import { FAULTS, refusalBody } from "./app.ts";
import { MAX_COMMAND_BODY, type SocketMessage, socketMessageSchema } from "./lease_bodies.ts";

/** RFC 6455 section 7.4.1. */
const CLOSE = { done: 1000, goingAway: 1001, invalid: 1007, tooBig: 1009, refused: 4000 } as const;
/** A socket that nobody reads from is let go of. */
const MOST_UNSENT_BYTES = 1 << 20;

/**
 * Takes the upgrade. The Origin was checked before: a page of another site can't speak in a
 * terminal's name.
 */
export function leaseSocket(
  view: GatewayView,
  request: Request,
  options: { address: string; budget: ListenerBudget; signal?: AbortSignal | undefined },
): Response {
  const leave = options.budget.enter(options.address);
  if (leave === undefined) {
    return Response.json({ error: "Cannot listen: too many sockets; close some" }, { status: 503 });
  }
  try {
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 60 });
    const conversation = new Conversation(view, socket, options.address);
    const close = () => conversation.close(CLOSE.goingAway, "the gateway ends");
    options.signal?.addEventListener("abort", close, { once: true });
    socket.addEventListener("close", () => {
      options.signal?.removeEventListener("abort", close);
      leave();
    });
    return response;
  } catch {
    leave();
    return Response.json({ error: "Cannot speak: send a WebSocket upgrade" }, { status: 426 });
  }
}

class Conversation {
  readonly #view: GatewayView;
  readonly #socket: WebSocket;
  readonly #address: string;
  #lease: string | undefined;
  #isBusy = false;
  #stop: () => void = () => {};

  constructor(view: GatewayView, socket: WebSocket, address: string) {
    this.#view = view;
    this.#socket = socket;
    this.#address = address;
    socket.addEventListener("open", () => void this.#begin());
    socket.addEventListener("message", (event) => void this.#hear(event.data));
    socket.addEventListener("close", () => this.#end());
    socket.addEventListener("error", () => this.#end());
  }

  close(code: number, reason: string): void {
    if (this.#socket.readyState <= WebSocket.OPEN) this.#socket.close(code, reason.slice(0, 100));
  }

  async #begin(): Promise<void> {
    const { leases } = this.#view;
    const lease = await leases.request(this.#address);
    if ("refused" in lease) {
      this.#say({ type: "refused", ...refusalBody(lease.refused) });
      return this.close(CLOSE.refused, lease.refused);
    }
    this.#lease = lease.id;
    if (this.#socket.readyState !== WebSocket.OPEN) return this.#end();
    this.#stop = leases.watch(lease.id, (now) => this.#tell(now));
    const unsubscribe = this.#view.subscribe((event) => {
      if (event.type === "share") void this.#tellPlace();
    });
    const stop = this.#stop;
    this.#stop = () => {
      stop();
      unsubscribe();
    };
    this.#tell(lease);
  }

  #place = "";
  async #tellPlace(): Promise<void> {
    if (this.#lease === undefined) return;
    const lease = await this.#view.leases.lease(this.#lease, { address: this.#address });
    if (lease?.state !== "waiting" || JSON.stringify(lease) === this.#place) return;
    this.#place = JSON.stringify(lease);
    this.#tell(lease);
  }

  #tell(lease: LeaseView): void {
    this.#say({ type: "lease", lease });
    if (lease.state !== "ended") return;
    this.#lease = undefined;
    this.close(CLOSE.done, lease.reason);
  }

  async #hear(data: unknown): Promise<void> {
    if (typeof data !== "string") return this.close(CLOSE.invalid, "expected text");
    if (data.length > MAX_COMMAND_BODY) return this.close(CLOSE.tooBig, "too large");
    const message = parse(data);
    if (message === undefined) return this.close(CLOSE.invalid, "expected a message of the API");
    if (message.type === "release") return this.#end();
    if (this.#isBusy) return this.#say({ type: "fault", ...FAULTS.busy });
    if (this.#lease === undefined) return this.#say({ type: "fault", ...FAULTS["no-lease"] });
    this.#isBusy = true;
    try {
      const { leases } = this.#view;
      const address = this.#address;
      const answer = message.type === "command"
        ? await leases.exchange(this.#lease, { address, apdu: message.apdu })
        : await leases.verify(this.#lease, {
          ...{ address, reference: message.reference },
          sealed: {
            engine: message.engine,
            enc: message.enc,
            ciphertext: message.ciphertext,
          },
        });
      this.#say(
        answer.is === "response"
          ? { type: "response", apdu: answer.apdu.toHex() }
          : { type: "fault", ...FAULTS[answer.fault] },
      );
    } finally {
      this.#isBusy = false;
    }
  }

  #end(): void {
    const lease = this.#lease;
    if (this.#socket.readyState !== WebSocket.OPEN) this.#stop();
    if (lease !== undefined) void this.#view.leases.release(lease, this.#address);
  }

  #say(message: unknown): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount > MOST_UNSENT_BYTES) return this.close(CLOSE.tooBig, "unread");
    this.#socket.send(JSON.stringify(message));
  }
}

function parse(text: string): SocketMessage | undefined {
  try {
    const result = v.safeParse(socketMessageSchema, JSON.parse(text));
    return result.success ? result.output : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
