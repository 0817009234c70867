/**
 * A person at a terminal, as a process in the terminal's namespaces: reads errands from stdin, one
 * JSON object a line, does them side by side, and writes what came of each. `terminal.ts` is its
 * other side.
 */
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { createInterface } from "node:readline";
import process from "node:process";
import { sealPin } from "../../token/pin/seal.ts";

/** Times are Unix milliseconds with fractions. */
export interface Errands {
  /** Opens a page without following redirects. */
  open(what: {
    url: string;
    ca?: string;
    method?: string;
    headers?: Record<string, string>;
    body?: string;
    timeoutMs?: number;
  }): Promise<
    { status: number; headers: Record<string, string>; text: string; ms: number }
  >;
  download(what: { url: string; timeoutMs?: number }): Promise<
    { bytes: number; sha256: string; ms: number }
  >;
  /** Types the PIN into the portal: seals it to the engine of the card in the reader, posts it. */
  enterPin(
    what: { portal: string; ca?: string; pin: string; userId?: string; timeoutMs?: number },
  ): Promise<{ status: number; text: string; enteredAt: number; answeredAt: number }>;
  /** Sends a packet every `everyMs` until one comes back. */
  echo(what: { address: string; port: number; everyMs?: number; timeoutMs?: number }): Promise<
    { answeredAt: number; sent: number }
  >;
  /** Asks a name server for an address. */
  resolve(what: { name: string; type: "A" | "AAAA"; server?: string }): Promise<
    { addresses: string[] }
  >;
}

export type Errand = keyof Errands;
export interface Order {
  readonly id: number;
  readonly errand: Errand;
  readonly what: unknown;
}
export type Outcome =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };

const DEFAULT_TIMEOUT_MS = 20_000;
/** On top of an errand's own bound, for what does not keep to it. */
const GRACE_MS = 10_000;

const errands: Errands = {
  async open({ url, ca, method, headers, body, timeoutMs }) {
    const start = performance.now();
    const response = await request(url, { ca, method, headers, body, timeoutMs });
    const text = await response.text();
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      text,
      ms: performance.now() - start,
    };
  },

  async download({ url, timeoutMs }) {
    const start = performance.now();
    const response = await request(url, { timeoutMs });
    if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const part of response.body) {
      hash.update(part);
      bytes += part.length;
    }
    return { bytes, sha256: hash.digest("hex"), ms: performance.now() - start };
  },

  async enterPin({ portal, ca, pin, userId, timeoutMs }) {
    const state = await (await request(`${portal}/api/portal`, { ca, timeoutMs })).json();
    const { engine, publicKey } = state.target ?? {};
    if (typeof engine !== "string") {
      throw new Error(`The portal asks for no PIN: ${JSON.stringify(state)}`);
    }
    const enteredAt = now();
    const key = Uint8Array.fromBase64(publicKey, { alphabet: "base64url" });
    const sealed = await sealPin(new TextEncoder().encode(pin), {
      ...{ publicKey: key, engine, userId },
    });
    const response = await request(`${portal}/api/pin`, {
      ca,
      timeoutMs,
      method: "POST",
      headers: { "content-type": "application/json", origin: portal },
      body: JSON.stringify({
        engine,
        enc: base64url(sealed.enc),
        ciphertext: base64url(sealed.ciphertext),
      }),
    });
    const text = await response.text();
    return { status: response.status, text, enteredAt, answeredAt: now() };
  },

  echo({ address, port, everyMs, timeoutMs }) {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    const { promise, resolve, reject } = Promise.withResolvers<
      { answeredAt: number; sent: number }
    >();
    let sent = 0;
    // Sending may fail while no route is there; the next one tries again.
    const send = () => socket.send(`echo ${++sent}`, port, address, () => {});
    const timer = setInterval(send, everyMs ?? 2);
    const limit = setTimeout(
      () => reject(new Error(`No answer from ${address} to ${sent} packets`)),
      timeoutMs ?? DEFAULT_TIMEOUT_MS,
    );
    socket.on("error", () => {});
    socket.on("message", () => resolve({ answeredAt: now(), sent }));
    send();
    return promise.finally(() => {
      clearInterval(timer);
      clearTimeout(limit);
      socket.close();
    });
  },

  async resolve({ name, type, server }) {
    const options = server === undefined ? {} : { nameServer: { ipAddr: server, port: 53 } };
    const signal = AbortSignal.timeout(3000);
    return { addresses: await Deno.resolveDns(name, type, { ...options, signal }) };
  },
};

if (import.meta.main) {
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line) as Order;
    run(order).then((outcome) => console.log(JSON.stringify(outcome)));
  }
  Deno.exit(0);
}

async function run({ id, errand, what }: Order): Promise<Outcome> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = what as { timeoutMs?: number };
  const patience = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => patience.reject(new Error("it does not end")),
    timeoutMs + GRACE_MS,
  );
  try {
    const work = errands[errand] as (what: unknown) => Promise<unknown>;
    return { id, result: await Promise.race([work(what), patience.promise]) };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error
      ? ` (${error.cause.message})`
      : "";
    return { id, error: `${error instanceof Error ? error.message : error}${cause}` };
  } finally {
    clearTimeout(timer);
  }
}

/** One connection each: nothing of an earlier state of the network is reused. */
async function request(
  url: string,
  options: {
    ca?: string | undefined;
    method?: string | undefined;
    headers?: Record<string, string> | undefined;
    body?: string | undefined;
    timeoutMs?: number | undefined;
  },
): Promise<Response> {
  const client = Deno.createHttpClient({
    poolMaxIdlePerHost: 0,
    ...(options.ca === undefined ? {} : { caCerts: [options.ca] }),
  });
  try {
    return await fetch(url, {
      client,
      redirect: "manual",
      signal: AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS),
      method: options.method ?? "GET",
      ...(options.headers === undefined ? {} : { headers: options.headers }),
      ...(options.body === undefined ? {} : { body: options.body }),
    });
  } finally {
    client.close();
  }
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
