/** Which terminals may use the shared card, by their addresses of either kind. */

/** A terminal as the LAN knows it. */
export interface KnownTerminal {
  readonly address: string;
  readonly mac: string;
  readonly name: string;
}

/** One that may use the card: told apart by `key`, known to people by `label`. */
export interface ShareTerminal {
  readonly key: string;
  readonly label: string;
}

export interface ShareTerminalsParts {
  /** MAC or IP addresses of those who may; "*" is every terminal of the LAN. Undefined: nobody. */
  readonly terminals: readonly string[] | undefined;
  readonly known: () => readonly KnownTerminal[];
  /** Looks again who is on the LAN. */
  readonly look: () => Promise<void>;
}

export class ShareTerminals {
  readonly #parts: ShareTerminalsParts;

  constructor(parts: ShareTerminalsParts) {
    this.#parts = parts;
  }

  /** Whose terminal this is, if it may use the card. */
  async at(address: string): Promise<ShareTerminal | undefined> {
    if (this.#parts.terminals === undefined) return undefined;
    // Who has just come isn't known yet.
    if (this.#find(address) === undefined) await this.#parts.look();
    return this.#allowed(address);
  }

  #allowed(address: string): ShareTerminal | undefined {
    const known = this.#find(address);
    if (known === undefined) return undefined;
    const { terminals = [] } = this.#parts;
    const names = [known.address, known.mac, "*"];
    if (!terminals.some((one) => names.includes(one.toLowerCase()))) return undefined;
    return { key: known.mac || known.address, label: (known.name || known.address).slice(0, 128) };
  }

  #find(address: string): KnownTerminal | undefined {
    return this.#parts.known().find((one) => one.address === address);
  }
}
