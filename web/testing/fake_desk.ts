import type { LeaseAnswer, LeaseDesk, LeaseView, SealedPin } from "../../gateway/view.ts";
import type { CardChannel } from "../../token/apdu/channel.ts";
import { makePinOpener, type PinOpener } from "../../token/pin/seal.ts";

const ENGINE = "fake-engine-1/lease";

/**
 * A desk in memory for tests of the web alone: one card, lent to whoever asks first, PINs opened as
 * an engine opens them. Who comes second waits.
 */
export class FakeDesk implements LeaseDesk {
  /** PINs that arrived, opened. */
  readonly pins: string[] = [];
  readonly #card: CardChannel;
  readonly #opener: PinOpener;
  readonly #leases = new Map<string, LeaseView>();
  readonly #watchers = new Map<string, Set<(lease: LeaseView) => void>>();

  private constructor(card: CardChannel, opener: PinOpener) {
    this.#card = card;
    this.#opener = opener;
  }

  static async open(card: CardChannel): Promise<FakeDesk> {
    return new FakeDesk(card, await makePinOpener(ENGINE));
  }

  /** Whom pages seal a lease's PIN to; the key is base64url. */
  get pin(): { engine: string; publicKey: string } {
    const publicKey = this.#opener.publicKey.toBase64({ alphabet: "base64url", omitPadding: true });
    return { engine: ENGINE, publicKey };
  }

  request(): Promise<LeaseView> {
    const id = crypto.randomUUID();
    const isFree = ![...this.#leases.values()].some(({ state }) => state === "granted");
    this.#set(isFree ? granted(id) : { id, state: "waiting", place: 1, holder: "Living room" });
    return this.#get(id);
  }

  async lease(id: string, { waitMs = 0 }: { waitMs?: number }): Promise<LeaseView | undefined> {
    if (this.#leases.get(id)?.state === "waiting" && waitMs > 0) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, 50)));
    }
    return this.#leases.get(id);
  }

  watch(id: string, onChange: (lease: LeaseView) => void): () => void {
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers.add(onChange));
    return () => watchers.delete(onChange);
  }

  async exchange(id: string, { apdu }: { apdu: Uint8Array }): Promise<LeaseAnswer> {
    if (this.#leases.get(id)?.state !== "granted") return { is: "fault", fault: "no-lease" };
    return { is: "response", apdu: await this.#card.transmit(apdu) };
  }

  async verify(
    id: string,
    { sealed, reference }: { sealed: SealedPin; reference: number },
  ): Promise<LeaseAnswer> {
    const pin = await this.#opener.open(sealed);
    if (pin === undefined) return { is: "fault", fault: "not-sealed-to-me" };
    this.pins.push(new TextDecoder().decode(pin));
    const apdu = new Uint8Array(13).fill(0xff);
    apdu.set([0, 0x20, 0, reference, 8]);
    apdu.set(pin, 5);
    return await this.exchange(id, { apdu });
  }

  release(id: string): Promise<boolean> {
    this.#end(id, "released");
    return Promise.resolve(true);
  }

  giveUp(): Promise<boolean> {
    for (const { id, state } of this.#leases.values()) {
      if (state === "waiting") this.#end(id, "gave-up");
    }
    return Promise.resolve(true);
  }

  terminalAt(address: string): Promise<{ key: string; label: string }> {
    return Promise.resolve({ key: address, label: address });
  }

  revoke(): boolean {
    const held = [...this.#leases.values()].find(({ state }) => state === "granted");
    if (held === undefined) return false;
    this.#end(held.id, "revoked");
    return true;
  }

  #end(id: string, reason: "released" | "gave-up" | "revoked"): void {
    const wasHeld = this.#leases.get(id)?.state === "granted";
    this.#set({ id, state: "ended", reason });
    const next = [...this.#leases.values()].find(({ state }) => state === "waiting");
    if (wasHeld && next !== undefined) this.#set(granted(next.id));
  }

  #set(lease: LeaseView): void {
    this.#leases.set(lease.id, lease);
    for (const watcher of this.#watchers.get(lease.id) ?? []) watcher(lease);
  }

  #get(id: string): Promise<LeaseView> {
    return Promise.resolve(this.#leases.get(id) ?? { id, state: "ended", reason: "card-gone" });
  }
}

function granted(id: string): LeaseView {
  return { id, state: "granted", until: Date.now() + 60_000, idleMs: 20_000 };
}
