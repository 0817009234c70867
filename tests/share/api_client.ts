/** A program at a terminal that uses the card's API. */
import assert from "node:assert/strict";
import type { LeaseView, ShareView } from "../../gateway/view.ts";
import { sealPin } from "../../token/pin/seal.ts";
import { sleep } from "../lab/machine.ts";
import type { Box } from "../story/box.ts";
import type { Terminal } from "../story/terminal.ts";

/** Shorter than any idle limit, as often as a slow machine may need. */
const USE_EVERY_MS = 1_000;

export interface ApiAnswer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any -- what the test expects of each answer is in the test
  readonly body: any;
}

export class ApiClient {
  readonly #terminal: Terminal;
  readonly #box: Box;

  constructor(terminal: Terminal, box: Box) {
    this.#terminal = terminal;
    this.#box = box;
  }

  async ask(
    method: string,
    path: string,
    { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<ApiAnswer> {
    const { portal, authority } = this.#box;
    const { status, text } = await this.#terminal.do("open", {
      ...{ url: `${portal}/api/v1/card${path}`, ca: authority, method, timeoutMs: 40_000 },
      headers: {
        origin: portal,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status, body: text === "" ? undefined : JSON.parse(text) };
  }

  async share(): Promise<ShareView & { you?: string }> {
    const { status, body } = await this.ask("GET", "");
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  /** Asks for the card; the lease, waiting or granted. */
  async request(): Promise<LeaseView> {
    const { status, body } = await this.ask("POST", "/leases");
    assert.ok(status === 201 || status === 202, `${status} ${JSON.stringify(body)}`);
    return body;
  }

  /** Waits until a lease is no longer waiting. */
  async settled(id: string): Promise<LeaseView> {
    for (;;) {
      const { status, body } = await this.ask("GET", `/leases/${id}?wait=20`);
      assert.equal(status, 200, JSON.stringify(body));
      if (body.state !== "waiting") return body;
    }
  }

  /** Waits until a lease has ended; why it did. */
  async over(id: string): Promise<string> {
    for (;;) {
      const { body } = await this.ask("GET", `/leases/${id}`);
      if (body?.state !== "granted" && body?.state !== "waiting") return body?.reason ?? "unknown";
      await sleep(250);
    }
  }

  async granted(): Promise<LeaseView & { state: "granted" }> {
    const lease = await this.settled((await this.request()).id);
    assert.ok(lease.state === "granted", JSON.stringify(lease));
    return lease;
  }

  /** Keeps a lease in use, so that it doesn't end for want of it while other work takes its time. */
  async keeping<T>(id: string, work: () => Promise<T>): Promise<T> {
    const { promise: over, resolve: end } = Promise.withResolvers<"over">();
    const using = (async () => {
      do await this.ask("POST", `/leases/${id}/commands`, { body: { apdu: SELECT_PIV } }); while (
        await Promise.race([over, sleep(USE_EVERY_MS)]) !== "over"
      );
    })();
    try {
      return await work();
    } finally {
      end("over");
      await using;
    }
  }

  /** One command in hexadecimal; its answer too. */
  async command(id: string, apdu: string): Promise<string> {
    const { status, body } = await this.ask("POST", `/leases/${id}/commands`, { body: { apdu } });
    assert.equal(status, 200, `${apdu}: ${JSON.stringify(body)}`);
    return body.apdu;
  }

  async enterPin(id: string, pin: string): Promise<string> {
    const { pin: target } = await this.share();
    assert.ok(target);
    const { enc, ciphertext } = await sealPin(new TextEncoder().encode(pin), {
      engine: target.engine,
      publicKey: Uint8Array.fromBase64(target.publicKey, { alphabet: "base64url" }),
    });
    const text = (bytes: Uint8Array) =>
      bytes.toBase64({ alphabet: "base64url", omitPadding: true });
    const { status, body } = await this.ask("POST", `/leases/${id}/pin`, {
      body: { engine: target.engine, enc: text(enc), ciphertext: text(ciphertext) },
    });
    assert.equal(status, 200, JSON.stringify(body));
    return body.apdu;
  }

  async release(id: string): Promise<void> {
    assert.equal((await this.ask("DELETE", `/leases/${id}`)).status, 204);
  }
}

export const SELECT_PIV = "00a4040009a0000003080000100000";
/** GENERAL AUTHENTICATE with 9A: signs 32 bytes. */
export const SIGN_9A = `0087119a26 7c2482008120${"11".repeat(32)}00`.replace(" ", "");
export const SELECT_PURSE = "00a404000af053454b4953484f020100";
/** What a purse shows without a PIN; no other application has this class. */
export const PURSE_STATUS = "805c000000";
/** Asks for the PIN's tries. */
export const TRIES = "00200080";
