/** The hub's part in split profiles: its folder, its key, and whoever asks. */
import { x25519 } from "@noble/curves/ed25519.js";
import { SecretMemory } from "../../os/secret_memory.ts";
import type { RevocationFiles } from "../../token/profile/revocation_files.ts";
import { hubShareKey } from "../../token/profile/share_protocol.ts";
import type { IssuerKey } from "../../token/profile/types.ts";
import type { HubConfig } from "../hub_config.ts";
import { readKeyFile } from "../key_file.ts";
import { decide, type ShareShelf, shelfOf } from "./decide.ts";
import { readShareFolder } from "./share_folder.ts";
import { type ShareCounts, ShareServer } from "./share_server.ts";

type ShareConfig = NonNullable<HubConfig["shares"]>;

export interface SharesOptions {
  readonly issuerKeys: readonly IssuerKey[];
  readonly revocations: RevocationFiles;
  /** One line for the log: no secret, no address. */
  readonly say: (line: string) => void;
}

export class Shares implements Disposable {
  readonly #config: ShareConfig;
  readonly #options: SharesOptions;
  readonly #memory: SecretMemory;
  readonly #server: ShareServer;
  #shelf: ShareShelf;

  private constructor(
    config: ShareConfig,
    options: SharesOptions,
    parts: {
      memory: SecretMemory;
      shelf: ShareShelf;
      key: Awaited<ReturnType<typeof hubShareKey>>;
    },
  ) {
    this.#config = config;
    this.#options = options;
    this.#memory = parts.memory;
    this.#shelf = parts.shelf;
    this.#server = new ShareServer({
      listen: config.listen,
      key: parts.key,
      decide: (question) =>
        decide(this.#shelf, question, {
          now: Math.floor(Date.now() / 1000),
          isRevoked: (record) => options.revocations.find(record) !== undefined,
        }),
      onAnswer: (record, told) => {
        const who = record === undefined ? "an unknown profile" : record.clientId;
        options.say(`Hub share for ${who}: ${told}`);
      },
    });
  }

  /** @throws {ConfigError} when key or folder can't be used; {Error} when the port is taken. */
  static async open(config: ShareConfig, options: SharesOptions): Promise<Shares> {
    const shelf = await readShelf(config, options);
    const memory = SecretMemory.allocate(32);
    try {
      const { bytes } = memory.take(32);
      readKeyFile(config.private_key_file, bytes);
      const key = await hubShareKey(bytes, x25519.getPublicKey(bytes));
      return new Shares(config, options, { memory, shelf, key });
    } catch (error) {
      memory.free();
      throw error;
    }
  }

  /** Reads the folder again; files that can't be used are said and left out. */
  async reload(): Promise<void> {
    this.#shelf = await readShelf(this.#config, this.#options);
  }

  /** Where it listens: the port that was chosen, when 0 was asked for. */
  get port(): number {
    return this.#server.port;
  }

  get status(): { readonly shares: number; readonly answers: ShareCounts } {
    return { shares: this.#shelf.records.size, answers: this.#server.counts };
  }

  [Symbol.dispose](): void {
    this.#server[Symbol.dispose]();
    this.#memory.free();
  }
}

async function readShelf(
  { folder }: ShareConfig,
  { issuerKeys, say }: SharesOptions,
): Promise<ShareShelf> {
  const { records, problems } = await readShareFolder(folder, issuerKeys);
  for (const problem of problems) say(problem);
  return shelfOf(records);
}
