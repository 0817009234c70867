/** Puts a grant into force on the box, and takes it back: switch, routes and names, in safe order. */
import type { Lan } from "../lan/api.ts";
import type { Switch } from "../switch/api.ts";
import type { Uplink } from "../uplink/api.ts";
import type { Grant } from "./grant.ts";

export class SessionNetwork {
  readonly #switch: Switch;
  readonly #uplink: Uplink;
  readonly #lan: Lan;
  readonly #onError: (error: unknown) => void;
  /** Changes follow one another: routes and names of one session never mix with the next's. */
  #queue: Promise<void> = Promise.resolve();
  #wanted: Grant | undefined;

  constructor(
    parts: { switch: Switch; uplink: Uplink; lan: Lan },
    onError: (error: unknown) => void,
  ) {
    this.#switch = parts.switch;
    this.#uplink = parts.uplink;
    this.#lan = parts.lan;
    this.#onError = onError;
  }

  /** Routes and names first, the switch last: nothing passes before all of it stands. */
  open(grant: Grant): Promise<void> {
    this.#wanted = grant;
    return this.#next(async () => {
      if (this.#wanted !== grant) throw new Error("the session ended meanwhile");
      await Promise.all([this.#uplink.open(grant), this.#lan.open(grant)]);
      // The card may have gone while the routes were made; the switch stays closed then.
      if (this.#wanted !== grant) throw new Error("the session ended meanwhile");
      this.#switch.apply(grant);
    });
  }

  /** The switch at once; routes and names behind it. */
  close(): void {
    this.#wanted = undefined;
    try {
      this.#switch.apply(undefined);
    } catch (error) {
      this.#onError(error);
    }
    this.#next(async () => {
      await Promise.all([this.#uplink.close(), this.#lan.close()]);
    }).catch(this.#onError);
  }

  /** Resolves when what was begun is done. */
  settled(): Promise<void> {
    return this.#queue;
  }

  /** Whether terminals' connections wait for an unlocking that is under way. */
  suspend(isSuspended: boolean): void {
    try {
      this.#switch.suspend(isSuspended);
    } catch (error) {
      this.#onError(error);
    }
  }

  /** To be called every second: keeps direct traffic open while this process lives. */
  refresh(): void {
    if (this.#wanted?.otherTraffic === "direct") this.#switch.refresh();
  }

  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => {});
    return done;
  }
}
