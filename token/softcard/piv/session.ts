import type { ReferenceName } from "../state.ts";

/** What the PIV application knows only while it has power and is selected. */
export class PivSession {
  readonly #verified = new Set<ReferenceName>();
  #masterKey: Uint8Array | undefined;

  /** The administrator proved the management key. */
  isAdministrator = false;
  /** No private key was used since the PIN was given: what policy "always" asks for. */
  isPinFresh = false;
  /** What the other side must answer to become the administrator. */
  pending: { readonly kind: "witness" | "challenge"; readonly plain: Uint8Array } | undefined;

  /** The master key while some PIN is verified. */
  get masterKey(): Uint8Array | undefined {
    return this.#masterKey;
  }

  isVerified(name: ReferenceName): boolean {
    return this.#verified.has(name);
  }

  /** Takes over the master key. */
  verified(name: ReferenceName, masterKey: Uint8Array): void {
    this.#verified.add(name);
    this.#masterKey?.fill(0);
    this.#masterKey = masterKey;
    this.isPinFresh = true;
  }

  unverified(name: ReferenceName): void {
    this.#verified.delete(name);
    if (this.#verified.size > 0) return;
    this.#masterKey?.fill(0);
    this.#masterKey = undefined;
    this.isPinFresh = false;
  }

  clear(): void {
    this.unverified("pin");
    this.unverified("global");
    this.isAdministrator = false;
    this.pending = undefined;
  }
}
