import { randomBytes } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { Settings } from "./api.ts";
import { hashPassword, matchesPassword } from "./password.ts";

const COOKIE_KEY = "cookie-key";
const COOKIE_KEY_BYTES = 32;
const ADMIN_PASSWORD = "admin-password";

/** Settings as rows of the store. */
export class SqliteSettings implements Settings {
  readonly #db: DatabaseSync;
  #cookieKey: Uint8Array | undefined;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** On a disk that takes nothing, a key for this run only: everyone signs in again after the next start. */
  cookieKey(): Uint8Array {
    this.#cookieKey ??= this.#read(COOKIE_KEY) ?? this.#makeCookieKey();
    return this.#cookieKey;
  }

  hasAdminPassword(): boolean {
    return this.#read(ADMIN_PASSWORD) !== undefined;
  }

  async setAdminPassword(password: string): Promise<void> {
    if (password === "") throw new RangeError("Cannot set the admin password: it is empty");
    this.#write(ADMIN_PASSWORD, new TextEncoder().encode(await hashPassword(password)));
  }

  async checkAdminPassword(password: string): Promise<boolean> {
    const stored = this.#read(ADMIN_PASSWORD);
    if (stored === undefined) return false;
    return await matchesPassword(password, new TextDecoder().decode(stored));
  }

  #makeCookieKey(): Uint8Array {
    const key = new Uint8Array(randomBytes(COOKIE_KEY_BYTES));
    try {
      this.#write(COOKIE_KEY, key);
    } catch {
      // The journal, on the same disk, says that it is full.
    }
    return key;
  }

  #read(name: string): Uint8Array | undefined {
    const value = this.#db.prepare("SELECT value FROM setting WHERE name = ?").get(name)?.["value"];
    return value instanceof Uint8Array ? value : undefined;
  }

  #write(name: string, value: Uint8Array): void {
    this.#db.prepare(
      "INSERT INTO setting (name, value) VALUES (?, ?) " +
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    ).run(name, value);
  }
}
