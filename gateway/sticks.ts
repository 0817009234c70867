/** The USB sticks that this gateway takes as tokens, watched: each port or path is one more reader. */
import { openMedium } from "../token/stick/medium.ts";
import { isStick } from "../token/stick/open.ts";
import { insertionOf, usbDisks } from "../token/stick/presence.ts";
import type { ReaderState } from "./session/events.ts";
import type { ReaderView } from "./view.ts";

/** How often the ports are looked at, in milliseconds; a look costs some 50 µs. */
const LOOK_MS = 100;

/** Insertions that are remembered as none of ours. */
const MOST_OTHERS = 64;

/** Every USB port of the box, rather than one device's path. */
export const ANY_USB = "usb";

interface Slot {
  /** As people see it. */
  readonly name: string;
  /** "usb" or a path. */
  readonly where: string;
  /** The device and what marks its insertion, while one is there. */
  stick: { readonly path: string; readonly insertion: string } | undefined;
  counter: number;
}

export class Sticks {
  readonly #slots: readonly Slot[];
  readonly #onChange: () => void;
  /** Insertions that turned out to be no sticks of ours. */
  readonly #others = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  /** That nothing is there is news once. */
  #isFirst = true;

  /** Watches `devices`: "usb" for all USB ports together, or paths of devices. None: nothing. */
  constructor(devices: readonly string[], { onChange }: { onChange: () => void }) {
    this.#onChange = onChange;
    this.#slots = devices.map((where) => ({
      name: where === ANY_USB ? "USB stick" : `Stick ${where}`,
      where,
      stick: undefined,
      counter: 0,
    }));
    if (this.#slots.length > 0) void this.#watch();
  }

  /** For the session: sticks are cards in readers of their own. */
  readers(): ReaderState[] {
    return this.#slots.map(({ name, stick, counter }) => ({
      name,
      card: stick === undefined ? "absent" : "present",
      counter,
      token: "stick",
    }));
  }

  view(): ReaderView[] {
    return this.readers().map(({ name, card }) => ({ name, card }));
  }

  /** The device behind a reader's name; `undefined` for a card reader's. */
  deviceOf(reader: string): string | undefined {
    const slot = this.#slots.find(({ name }) => name === reader);
    return slot === undefined ? undefined : slot.stick?.path ?? slot.where;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #watch(): Promise<void> {
    let isNews = this.#isFirst;
    this.#isFirst = false;
    for (const slot of this.#slots) isNews = await this.#look(slot) || isNews;
    if (this.#stopped) return;
    if (isNews) this.#onChange();
    this.#timer = setTimeout(() => void this.#watch(), LOOK_MS);
  }

  /** True when something came or went. */
  async #look(slot: Slot): Promise<boolean> {
    const { stick } = slot;
    if (stick !== undefined && insertionOf(stick.path) === stick.insertion) return false;
    slot.stick = await this.#find(slot.where);
    if (slot.stick === undefined) return stick !== undefined;
    slot.counter += 1;
    return true;
  }

  async #find(where: string): Promise<Slot["stick"]> {
    if (where !== ANY_USB) {
      const insertion = insertionOf(where);
      return insertion === undefined ? undefined : { path: where, insertion };
    }
    for (const path of usbDisks()) {
      const insertion = insertionOf(path);
      if (insertion === undefined || this.#others.has(insertion)) continue;
      if (await carriesProfile(path)) return { path, insertion };
      if (this.#others.size >= MOST_OTHERS) this.#others.clear();
      this.#others.add(insertion);
    }
    return undefined;
  }
}

/** Whether it is worth an engine's look; whatever can't be read is none of ours. */
async function carriesProfile(path: string): Promise<boolean> {
  try {
    using medium = await openMedium(path);
    return await isStick(medium);
  } catch {
    return false;
  }
}
