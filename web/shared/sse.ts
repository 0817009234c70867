/**
 * Server-sent events with bounds: so many listeners, so many of one address, and so many bytes
 * waiting for one of them. Who reads too slowly is let go and comes back to the present state.
 */

/** Counts listeners in and out. */
export class ListenerBudget {
  readonly #limits: { readonly total: number; readonly perAddress: number };
  readonly #byAddress = new Map<string, number>();
  #total = 0;

  constructor(limits: { total: number; perAddress: number }) {
    this.#limits = limits;
  }

  /** How many listen now. */
  get total(): number {
    return this.#total;
  }

  /** Takes a place; returns how to give it back, or `undefined` when there is none. */
  enter(address: string): (() => void) | undefined {
    const here = this.#byAddress.get(address) ?? 0;
    if (this.#total >= this.#limits.total || here >= this.#limits.perAddress) return undefined;
    this.#total += 1;
    this.#byAddress.set(address, here + 1);
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      this.#total -= 1;
      const rest = (this.#byAddress.get(address) ?? 1) - 1;
      if (rest === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, rest);
    };
  }
}

/** One listener's stream, as its source sees it. */
export interface EventSink {
  /** Sends one event; false once the listener is gone. */
  send(event: string, data: unknown): boolean;
  /** Ends the stream; the browser comes back by itself. */
  close(): void;
}

/**
 * Answers with a stream of events.
 * @param open Called once with the sink; returns what stops the source.
 * @param options.method The request's; HEAD gets the headers alone.
 * @param options.address Whose place of the budget it takes; a full budget answers 503.
 * @param options.signal Ends the stream, for a server that stops.
 */
export function eventStream(
  open: (sink: EventSink) => () => void,
  options: {
    method: string;
    budget: ListenerBudget;
    address: string;
    signal?: AbortSignal | undefined;
  },
): Response {
  // A body that nobody reads is never cancelled, and would keep its place for ever.
  if (options.method !== "GET") return new Response(null, { headers: HEADERS });
  const leave = options.budget.enter(options.address);
  if (leave === undefined) {
    return Response.json({ error: "Cannot listen: too many listeners; try again later" }, {
      status: 503,
      headers: { "Retry-After": "5" },
    });
  }
  let end = () => {};
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        end = connect(controller, open, { leave, signal: options.signal });
      },
      cancel: () => end(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: MAX_WAITING_BYTES }),
  );
  return new Response(body, { headers: HEADERS });
}

const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  "Cache-Control": "no-store",
  "X-Accel-Buffering": "no",
};

/** Bytes that may wait for one listener. */
const MAX_WAITING_BYTES = 512 * 1024;
/** Tells dead connections from quiet ones; proxies cut what is silent for a minute. */
const HEARTBEAT_MS = 15_000;
/** How soon a browser comes back after a cut. */
const RETRY_MS = 1_000;

function connect(
  controller: ReadableStreamDefaultController<Uint8Array>,
  open: (sink: EventSink) => () => void,
  { leave, signal }: { leave: () => void; signal: AbortSignal | undefined },
): () => void {
  const encoder = new TextEncoder();
  let live = true;
  let stop = () => {};
  const end = () => {
    if (!live) return;
    live = false;
    clearInterval(heartbeat);
    signal?.removeEventListener("abort", close);
    stop();
    leave();
  };
  const close = () => {
    if (!live) return;
    end();
    controller.close();
  };
  const write = (text: string): boolean => {
    if (!live) return false;
    if ((controller.desiredSize ?? 0) <= 0) {
      close();
      return false;
    }
    controller.enqueue(encoder.encode(text));
    return true;
  };
  const heartbeat = setInterval(() => write(": \n\n"), HEARTBEAT_MS);
  signal?.addEventListener("abort", close);
  write(`retry: ${RETRY_MS}\n\n`);
  const stopSource = open({
    send: (event, data) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
    close,
  });
  if (live) stop = stopSource;
  else stopSource();
  if (signal?.aborted) close();
  return end;
}
