/** The hub's store of sealed profiles, for cards that have no room: it holds ciphertext only. */
import { randomBytes } from "node:crypto";
import { SecretMemory } from "../../os/secret_memory.ts";
import { concat } from "../../token/apdu/tlv.ts";
import { formatBundle } from "../../token/profile/bundle.ts";
import { findBundles, generationOf } from "../../token/profile/bundle_folder.ts";
import {
  openStoreRequest,
  sealStoreAnswer,
  STORE_BYTES,
  STORE_GREETING,
  STORE_REQUEST_BYTES,
} from "../../token/profile/store_protocol.ts";
import { BoundedListener, readExactly, writeAll } from "../bounded_listener.ts";
import type { HubConfig } from "../hub_config.ts";
import { readKeyFile } from "../key_file.ts";

type StoreConfig = NonNullable<HubConfig["profiles"]>;

const EXCHANGE_MS = 5_000;

export class ProfileStore implements Disposable {
  /** How many were answered, by what they were told. */
  readonly answers: Record<string, number> = {};
  readonly #folder: string;
  readonly #memory = SecretMemory.allocate(STORE_BYTES);
  readonly #key: Uint8Array;
  readonly #say: (line: string) => void;
  readonly #listener: BoundedListener;

  /** @throws {ConfigError} when the key can't be used; {Error} when the port is taken. */
  constructor(config: StoreConfig, say: (line: string) => void) {
    this.#folder = config.folder;
    this.#say = say;
    try {
      this.#key = this.#memory.take(STORE_BYTES).bytes;
      readKeyFile(config.key_file, this.#key);
      this.#listener = new BoundedListener({
        ...{ listen: config.listen, setting: "profiles.listen", exchangeMs: EXCHANGE_MS },
        serve: (connection) => this.#exchange(connection),
        onFault: (what) => this.#count(what),
      });
    } catch (error) {
      this.#memory.free();
      throw error;
    }
  }

  /** Where it listens: the port that was chosen, when 0 was asked for. */
  get port(): number {
    return this.#listener.port;
  }

  [Symbol.dispose](): void {
    this.#listener[Symbol.dispose]();
    this.#memory.free();
  }

  async #exchange(connection: Deno.TcpConn): Promise<void> {
    const challenge = new Uint8Array(randomBytes(STORE_BYTES));
    await writeAll(connection, concat(STORE_GREETING, challenge));
    const bytes = await readExactly(connection, STORE_REQUEST_BYTES);
    if (bytes === undefined) return this.#count("broken");
    const request = openStoreRequest(bytes, { key: this.#key, challenge });
    if (request === undefined) return this.#count("garbage");
    const file = await this.#newest(request.cardId);
    const answer = sealStoreAnswer(request.exchange, file);
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, answer.length);
    await writeAll(connection, concat(head, answer));
    const told = file.length === 0 ? "unknown" : "given";
    this.#count(told);
    this.#say(`Hub profile for the card ${JSON.stringify(request.cardId)}: ${told}`);
  }

  /** The file is read at each question: whoever puts one there has nothing else to do. */
  async #newest(cardId: string): Promise<Uint8Array> {
    const found = await findBundles(this.#folder, cardId).catch((error) => {
      this.#say(error instanceof Error ? error.message : String(error));
      return [];
    });
    const [newest] = found.sort((a, b) => generationOf(b.head) - generationOf(a.head));
    if (newest === undefined) return new Uint8Array(0);
    return new TextEncoder().encode(formatBundle({ ...newest, otherHeads: new Map() }));
  }

  #count(what: string): void {
    this.answers[what] = (this.answers[what] ?? 0) + 1;
  }
}
