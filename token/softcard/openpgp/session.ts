/** What the OpenPGP application knows only while it has power and is selected. */

/** What a password was given for: PW1 has two uses, each verified by itself. */
export type Verified = "signing" | "using" | "administrator";

export class OpenPgpSession {
  readonly #verified = new Set<Verified>();
  #masterKey: Uint8Array | undefined;
  /** Which of the three certificates GET DATA and PUT DATA mean (section 7.2.5). */
  certificate: 0 | 1 | 2 = 0;

  /** The vault's key while any password is verified. */
  get masterKey(): Uint8Array | undefined {
    return this.#masterKey;
  }

  isVerified(what: Verified): boolean {
    return this.#verified.has(what);
  }

  /** Takes over the master key. */
  verified(what: Verified, masterKey: Uint8Array): void {
    this.#verified.add(what);
    this.#masterKey?.fill(0);
    this.#masterKey = masterKey;
  }

  unverified(what: Verified): void {
    this.#verified.delete(what);
    if (this.#verified.size > 0) return;
    this.#masterKey?.fill(0);
    this.#masterKey = undefined;
  }

  clear(): void {
    for (const what of ["signing", "using", "administrator"] as const) this.unverified(what);
    this.certificate = 0;
  }
}
