/** The preshared and manual keys of all clients, in one region of locked memory. */
import { SecretMemory } from "../os/secret_memory.ts";
import type { NativeKey } from "../tunnel/api.ts";
import type { ClientConfig } from "./hub_config.ts";
import { readKeyFile } from "./key_file.ts";

const KEY_BYTES = 32;

export class ClientKeys implements Disposable {
  readonly #memory: SecretMemory | undefined;
  readonly #keys = new Map<string, NativeKey>();

  /** @throws {ConfigError} when the file of a key can't be used. */
  constructor(clients: readonly ClientConfig[]) {
    const count = clients.filter((client) => keyFileOf(client) !== undefined).length;
    if (count === 0) return;
    const memory = SecretMemory.allocate(count * KEY_BYTES);
    try {
      for (const client of clients) {
        const path = keyFileOf(client);
        if (path === undefined) continue;
        const { address, bytes } = memory.take(KEY_BYTES);
        readKeyFile(path, bytes);
        this.#keys.set(client.public_key, { address, length: KEY_BYTES });
      }
    } catch (error) {
      memory.free();
      throw error;
    }
    this.#memory = memory;
  }

  of(client: ClientConfig): NativeKey | undefined {
    return this.#keys.get(client.public_key);
  }

  [Symbol.dispose](): void {
    this.#memory?.free();
  }
}

/** A client has one of both at most. */
function keyFileOf(client: ClientConfig): string | undefined {
  return client.preshared_key_file ?? client.manual_key_file;
}
