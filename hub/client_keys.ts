/** The preshared keys of all clients, in one region of locked memory. */
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
    const count = clients.filter((client) => client.preshared_key_file !== undefined).length;
    if (count === 0) return;
    const memory = SecretMemory.allocate(count * KEY_BYTES);
    try {
      for (const { public_key, preshared_key_file } of clients) {
        if (preshared_key_file === undefined) continue;
        const { address, bytes } = memory.take(KEY_BYTES);
        readKeyFile(preshared_key_file, bytes);
        this.#keys.set(public_key, { address, length: KEY_BYTES });
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
