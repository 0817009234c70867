/** What a holder does at a gateway in a guest, and what must be gone after it. */
import assert from "node:assert/strict";
import { keysIn, type Needle, readSecretMemory, searchMemory } from "../lab/memory_search.ts";
import type { Place } from "../stick/place.ts";
import { enginePids } from "../story/observer.ts";

export const PIN = "123456";

/** A guest's processor is a program: each question costs it much. */
const LOOK_MS = 300;

export interface Session {
  readonly engine: number;
  /** Everything that is secret in the engine's locked memory. */
  readonly keys: readonly Needle[];
}

export class GuestSession {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
    place.lookMs = LOOK_MS;
  }

  /** PIN asked for, entered, tunnel used. */
  async up(holder = "Alice Example"): Promise<Session> {
    assert.equal((await this.#place.until("pin-asked")).holder, holder);
    assert.deepEqual(await this.#place.enter(PIN), { outcome: "up" });
    await this.#place.reach();
    const [engine] = enginePids(this.#place.ground.box.pids());
    assert.ok(engine !== undefined);
    const keys = keysIn(readSecretMemory(engine));
    assert.ok(keys.length > 4, "the search has something to look for");
    return { engine, keys };
  }

  /** Its engine ends by what happened just now, and no process has a key of it any more. */
  async ends(
    { engine, keys }: Session,
    what: string,
    deed = () => Promise.resolve(),
  ): Promise<void> {
    const began = performance.now();
    await deed();
    await this.#place.gone(engine);
    console.log(`${what}: the engine's end after ${Math.round(performance.now() - began)} ms`);
    const { box } = this.#place.ground;
    assert.deepEqual(searchMemory([box.pid, ...box.pids()], keys).hits, []);
  }
}
