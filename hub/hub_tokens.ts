/** What a hub knows of its clients' tokens: which were taken back, and the halves that it keeps. */
import { RevocationFiles } from "../token/profile/revocation_files.ts";
import type { Revocation } from "../token/profile/revocations.ts";
import type { ClientConfig, HubConfig } from "./hub_config.ts";
import type { HubStatus } from "./hub_status.ts";
import { ProfileStore } from "./profiles/profile_store.ts";
import { Shares } from "./shares/shares.ts";

/** What needs another start when it changes. */
const FIXED = ["token", "shares", "profiles"] as const;

export class HubTokens implements Disposable {
  readonly #config: HubConfig;
  readonly #say: (line: string) => void;
  readonly #revocations: RevocationFiles;
  readonly #shares: Shares | undefined;
  readonly #profiles: ProfileStore | undefined;
  readonly #told = new Set<string>();

  private constructor(
    config: HubConfig,
    parts: {
      say: (line: string) => void;
      revocations: RevocationFiles;
      shares: Shares | undefined;
      profiles: ProfileStore | undefined;
    },
  ) {
    this.#config = config;
    this.#say = parts.say;
    this.#revocations = parts.revocations;
    this.#shares = parts.shares;
    this.#profiles = parts.profiles;
  }

  /** @throws {Error} in one line when a list, the key or the folder can't be used. */
  static async open(
    config: HubConfig,
    { say }: { say: (line: string) => void },
  ): Promise<HubTokens> {
    const { issuers, revocations: paths, state } = config.token;
    const revocations = await RevocationFiles.open(paths, { issuerKeys: issuers, folder: state });
    const shares = config.shares === undefined
      ? undefined
      : await Shares.open(config.shares, { issuerKeys: issuers, revocations, say });
    try {
      const profiles = config.profiles && new ProfileStore(config.profiles, say);
      return new HubTokens(config, { say, revocations, shares, profiles });
    } catch (error) {
      shares?.[Symbol.dispose]();
      throw error;
    }
  }

  /** The configuration without the clients whose profiles were taken back. */
  admitted(config: HubConfig): HubConfig {
    const client = config.client.filter((one) => {
      const revocation = this.#revocationOf(one);
      if (revocation === undefined) {
        this.#told.delete(one.name);
        return true;
      }
      if (!this.#told.has(one.name)) {
        this.#say(`Hub: ${one.name} is out: its profile was taken back (${revocation.reason})`);
      }
      this.#told.add(one.name);
      return false;
    });
    return { ...config, client };
  }

  /** Looks whether the lists have changed; true when who is admitted may have. */
  async look(): Promise<boolean> {
    let isNew = false;
    for (const change of await this.#revocations.look()) {
      if (change.kind === "refused") this.#say(change.reason);
      else isNew = true;
    }
    return isNew;
  }

  /** Reads the folder of shares again. @throws {Error} when what is fixed has changed. */
  async reload(next: HubConfig): Promise<void> {
    const fixed = FIXED.find((key) =>
      JSON.stringify(next[key]) !== JSON.stringify(this.#config[key])
    );
    if (fixed !== undefined) {
      throw new Error(`Cannot reload: [${fixed}] has changed; restart the hub to use it`);
    }
    await this.#shares?.reload();
  }

  /** What there is to tell of tokens. */
  status(config: HubConfig): Pick<HubStatus, "revoked" | "shares" | "profiles"> {
    const revoked = config.client.filter((one) => this.#revocationOf(one) !== undefined);
    return {
      ...(config.token.revocations.length === 0
        ? {}
        : { revoked: revoked.map(({ name }) => name) }),
      ...(this.#shares === undefined ? {} : { shares: this.#shares.status }),
      ...(this.#profiles === undefined ? {} : { profiles: { answers: this.#profiles.answers } }),
    };
  }

  [Symbol.dispose](): void {
    this.#shares?.[Symbol.dispose]();
    this.#profiles?.[Symbol.dispose]();
  }

  #revocationOf({ token }: ClientConfig): Revocation | undefined {
    if (token === undefined) return undefined;
    const { card, profile, generation } = token;
    for (const issuer of this.#config.token.issuers) {
      const found = this.#revocations.find({
        issuer,
        cardId: card,
        profileId: profile,
        generation,
      });
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
