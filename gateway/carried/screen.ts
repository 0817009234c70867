/** What the client on a stick shows: one line that changes, and notes above it. */
import type { PeerStatus } from "../../tunnel/api.ts";

export class Screen {
  readonly #isTerminal = Deno.stdout.isTerminal();
  #who = "";
  #isConnected = false;
  #hasLine = false;

  /** A line that stays, said once each. */
  readonly #said = new Set<string>();
  note(text: string): void {
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.#line(`Note: ${text}`);
  }

  waiting(holder: string, server: string): void {
    this.#who = `${holder} to ${server}`;
    this.#line(`Connecting ${this.#who}. Ctrl-C or pulling the stick ends it.`);
  }

  status(peer: PeerStatus, now: number): void {
    if (peer.lastHandshake === 0) return;
    if (!this.#isConnected) {
      this.#isConnected = true;
      this.#line(`Connected: ${this.#who}.`);
    }
    if (!this.#isTerminal) return;
    const seconds = Math.max(0, Math.round((now - peer.lastHandshake) / 1000));
    this.#write(
      `\r\x1b[Ksent ${size(peer.txBytes)}, received ${size(peer.rxBytes)}, ` +
        `keys agreed ${seconds} s ago`,
    );
    this.#hasLine = true;
  }

  close(text: string): void {
    this.#line(text);
  }

  #line(text: string): void {
    this.#write(`${this.#hasLine ? "\r\x1b[K" : ""}${text}\n`);
    this.#hasLine = false;
  }

  #write(text: string): void {
    try {
      Deno.stdout.writeSync(new TextEncoder().encode(text));
    } catch {
      // Nobody reads any more; the tunnel doesn't depend on it.
    }
  }
}

function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}
