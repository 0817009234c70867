/** Runs in browsers. One lease of the shared card, as a channel that carries commands. */
import type { LeaseRefused, LeaseView, ShareView } from "../../gateway/view.ts";
import { type CardChannel, CardGoneError } from "../../token/apdu/channel.ts";
import { sealPin } from "../../token/pin/seal.ts";
import { fromBase64url, toBase64url } from "../shared/base64url.ts";

/** The card can't even be waited for. */
export class LeaseRefusedError extends Error {
  readonly why: LeaseRefused;
  constructor(why: LeaseRefused) {
    super(why);
    this.why = why;
  }
}

const API = "/api/v1/card";

export class LeaseChannel implements CardChannel {
  readonly #id: string;

  private constructor(id: string) {
    this.#id = id;
  }

  /**
   * Asks for the card and waits for it; `onWaiting` hears each place.
   * @throws {LeaseRefusedError} when it can't be waited for.
   * @throws {CardGoneError} when the wait ended otherwise.
   */
  static async open(onWaiting: (lease: LeaseView) => void): Promise<LeaseChannel> {
    const response = await fetch(`${API}/leases`, { method: "POST" });
    const said = await response.json();
    if (!response.ok) throw new LeaseRefusedError(said.fault);
    let lease = said as LeaseView;
    while (lease.state === "waiting") {
      onWaiting(lease);
      lease = await (await fetch(`${API}/leases/${lease.id}?wait=2`)).json() as LeaseView;
    }
    if (lease.state !== "granted") throw new CardGoneError("The lease has ended");
    return new LeaseChannel(lease.id);
  }

  async transmit(command: Uint8Array): Promise<Uint8Array> {
    return await this.#ask("commands", { apdu: hex(command) });
  }

  /** Shows the selected application a PIN, sealed here; its status word. `digits` are wiped. */
  async enterPin(digits: Uint8Array): Promise<number> {
    try {
      const { pin } = await (await fetch(API)).json() as ShareView;
      const publicKey = fromBase64url(pin?.publicKey ?? "");
      if (pin === undefined || publicKey === undefined) throw new CardGoneError("No card");
      const { enc, ciphertext } = await sealPin(digits, { publicKey, engine: pin.engine });
      const answer = await this.#ask("pin", {
        engine: pin.engine,
        enc: toBase64url(enc),
        ciphertext: toBase64url(ciphertext),
      });
      return ((answer.at(-2) ?? 0) << 8) | (answer.at(-1) ?? 0);
    } finally {
      digits.fill(0);
    }
  }

  /** Gives the card back, also when the page is left. */
  async close(): Promise<void> {
    await fetch(`${API}/leases/${this.#id}`, { method: "DELETE", keepalive: true }).catch(() => {});
  }

  async #ask(what: string, body: unknown): Promise<Uint8Array> {
    const response = await fetch(`${API}/leases/${this.#id}/${what}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new CardGoneError("The lease is not in force");
    const { apdu } = await response.json() as { apdu: string };
    return Uint8Array.from(apdu.match(/../g) ?? [], (digits) => parseInt(digits, 16));
  }
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
