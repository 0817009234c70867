/**
 * What the hub remembers of clients with manual keys: the timestamp of each one's last announcement
 * that was taken, in a file, so that a replay is refused after a restart too.
 */
import { chmodSync, mkdirSync, renameSync } from "node:fs";
import { ConfigError } from "../os/config.ts";
import type { PublicKey } from "../tunnel/api.ts";
import type { ClientConfig } from "./hub_config.ts";

const FILE = "announced.json";
/** Several announcements of this time are written together, in milliseconds. */
const GATHER_MS = 50;

export class Announced implements Disposable {
  readonly #folder: string;
  readonly #say: (line: string) => void;
  #newest: Map<string, string> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failing = false;

  /** Nothing is touched until a client has a manual key. */
  constructor(folder: string, say: (line: string) => void) {
    this.#folder = folder;
    this.#say = say;
  }

  /**
   * To be called before clients become peers: reads what is there, and sees that it can be written.
   * @throws {ConfigError} when the folder can't be used, or holds something else.
   */
  prepare(clients: readonly ClientConfig[]): void {
    const isNeeded = clients.some((client) => client.manual_key_file !== undefined);
    if (!isNeeded || this.#newest !== undefined) return;
    const newest = read(`${this.#folder}/${FILE}`);
    try {
      mkdirSync(this.#folder, { recursive: true });
      chmodSync(this.#folder, 0o700);
      this.#write(newest);
    } catch (error) {
      throw new ConfigError(
        `Cannot use manual_state ${this.#folder}: ${messageOf(error)}; name a folder that this ` +
          "user may write",
      );
    }
    this.#newest = newest;
  }

  newerThan(client: PublicKey): string | undefined {
    return this.#newest?.get(client);
  }

  /** An announcement of `client` was taken; in the file a moment later. */
  take(client: PublicKey, timestamp: string): void {
    this.#newest?.set(client, timestamp);
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  [Symbol.dispose](): void {
    if (this.#timer !== undefined) this.#flush();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      if (this.#newest !== undefined) this.#write(this.#newest);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) {
        this.#say(
          `Cannot remember announcements in ${this.#folder}: ${
            messageOf(error)
          }; after a restart ` +
            "the last ones could be replayed",
        );
      }
      this.#failing = true;
    }
  }

  /** On the disk before it has its name. */
  #write(newest: ReadonlyMap<string, string>): void {
    const path = `${this.#folder}/${FILE}`;
    const aside = `${path}.new`;
    Deno.writeTextFileSync(aside, JSON.stringify(Object.fromEntries(newest)), { mode: 0o600 });
    using file = Deno.openSync(aside);
    file.syncDataSync();
    renameSync(aside, path);
  }
}

function read(path: string): Map<string, string> {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Map();
    throw new ConfigError(`Cannot read ${path}: ${messageOf(error)}; make it readable`);
  }
  const entries = parse(text);
  if (entries !== undefined) return new Map(entries);
  throw new ConfigError(
    `Cannot use ${path}: it is damaged; without it, old packets of clients with manual keys could ` +
      "be replayed: take it away once five minutes have passed since the hub ran",
  );
}

function parse(text: string): [string, string][] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const entries = Object.entries(value);
    const isOurs = entries.every(([, one]) =>
      typeof one === "string" && /^[0-9a-f]{24}$/.test(one)
    );
    return isOurs ? entries : undefined;
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
