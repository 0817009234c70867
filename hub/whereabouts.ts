/** Of which clients nobody knows where they are, kept true in the ruleset as they are heard of. */
import type { PublicKey } from "../tunnel/api.ts";
import { planFound } from "./begun.ts";
import type { ClientConfig } from "./hub_config.ts";
import { TABLE } from "./ruleset.ts";

export class Whereabouts {
  readonly #run: (plan: string) => void;
  #unknown = new Map<PublicKey, ClientConfig>();

  /** `run` gives nftables a plan. */
  constructor(run: (plan: string) => void) {
    this.#run = run;
  }

  /** Clients to whom nothing can be sent before they spoke. */
  get unknown(): ClientConfig[] {
    return [...this.#unknown.values()];
  }

  /** Begins anew; `known`: whose endpoint the tunnel knows. The ruleset is the caller's to renew. */
  reset(clients: readonly ClientConfig[], known: ReadonlySet<PublicKey>): void {
    const unknown = clients.filter(({ endpoint, public_key }) =>
      endpoint === undefined && !known.has(public_key)
    );
    this.#unknown = new Map(unknown.map((client) => [client.public_key, client]));
  }

  /** A client has spoken. */
  heard(key: PublicKey): void {
    const client = this.#unknown.get(key);
    if (client === undefined) return;
    this.#unknown.delete(key);
    try {
      this.#run(planFound(TABLE, client));
    } catch {
      // Somebody else changed the table: what it refuses stays refused until the next reload.
    }
  }
}
