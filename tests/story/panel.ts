/** The administrator's panel, asked by a program at a terminal. */
import assert from "node:assert/strict";
import type { GatewayStatus, JournalEntry } from "../../gateway/view.ts";
import type { Box } from "./box.ts";
import type { Terminal } from "./terminal.ts";

/** Somebody who is signed in to a gateway's panel, at one of its terminals. */
export class Administrator {
  readonly #terminal: Terminal;
  readonly #box: Box;
  readonly #cookie: string;

  private constructor(terminal: Terminal, box: Box, cookie: string) {
    this.#terminal = terminal;
    this.#box = box;
    this.#cookie = cookie;
  }

  static async signIn(terminal: Terminal, box: Box, password: string): Promise<Administrator> {
    const origin = originOf(box);
    const { status, text, headers } = await terminal.do("open", {
      url: `${origin}/sign-in`,
      ca: box.authority,
      method: "POST",
      headers: { origin, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ password }).toString(),
    });
    assert.equal(status, 303, text);
    const cookie = (headers["set-cookie"] ?? "").split(";")[0] ?? "";
    return new Administrator(terminal, box, cookie);
  }

  async status(): Promise<GatewayStatus> {
    return await this.#read("status") as GatewayStatus;
  }

  /** The latest entries, newest first. */
  async journal(): Promise<JournalEntry[]> {
    return (await this.#read("journal") as { entries: JournalEntry[] }).entries;
  }

  /** Asks for a change; what was answered. */
  async post(what: string): Promise<unknown> {
    const origin = originOf(this.#box);
    const { status, text } = await this.#terminal.do("open", {
      ...{ url: `${origin}/api/v1/${what}`, ca: this.#box.authority, method: "POST" },
      headers: { cookie: this.#cookie, origin },
    });
    assert.equal(status, 200, text);
    return JSON.parse(text);
  }

  async #read(what: "status" | "journal"): Promise<unknown> {
    const { status, text } = await this.#terminal.do("open", {
      url: `${originOf(this.#box)}/api/v1/${what}`,
      ca: this.#box.authority,
      headers: { cookie: this.#cookie },
    });
    assert.equal(status, 200, text);
    return JSON.parse(text);
  }
}

function originOf({ panel: { hostname, port } }: Box): string {
  return `https://${hostname}:${port}`;
}
