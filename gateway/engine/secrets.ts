/** Where one engine keeps its long-lived secrets, and how they go. */
import { SecretMemory } from "../../os/secret_memory.ts";
import { MAX_PIN_BYTES } from "../../token/pin/sealed_lengths.ts";
import { PRF_BYTES } from "../../token/profile/prf_inputs.ts";
import { SECRET_BYTES, SESSION_KEY_BYTES } from "./limits.ts";

export class EngineSecrets {
  /** The tunnel's session keys. */
  readonly sessionKeys = SecretMemory.allocate(SESSION_KEY_BYTES);
  /** Private key, preshared key, file key, PIN, a passkey's answer. */
  readonly profile = SecretMemory.allocate(SECRET_BYTES);
  readonly #pin = this.profile.take(MAX_PIN_BYTES).bytes;
  readonly #fileKey = this.profile.take(16).bytes;
  readonly #prf = this.profile.take(PRF_BYTES).bytes;
  #pinLength = 0;

  /** Takes a PIN over: the caller's copy is wiped. */
  keepPin(pin: Uint8Array): void {
    this.forgetPin();
    this.#pin.set(pin);
    this.#pinLength = pin.length;
    pin.fill(0);
  }

  /** A view of the PIN; empty when there is none. */
  get pin(): Uint8Array {
    return this.#pin.subarray(0, this.#pinLength);
  }

  forgetPin(): void {
    this.#pin.fill(0);
    this.#pinLength = 0;
  }

  /** Keeps the container's key for the session, so that a changed container can be opened again. */
  keepFileKey(fileKey: Uint8Array): void {
    this.#fileKey.set(fileKey.subarray(0, this.#fileKey.length));
  }

  forgetFileKey(): void {
    this.#fileKey.fill(0);
  }

  /** The container's key; zeros before it is open. */
  get fileKey(): Uint8Array {
    return this.#fileKey;
  }

  /** Takes a passkey's answer over: the caller's copy is wiped. */
  keepPrf(prf: Uint8Array): void {
    this.#prf.set(prf);
    prf.fill(0);
  }

  /** The answer; zeros when there is none. */
  get prf(): Uint8Array {
    return this.#prf;
  }

  forgetPrf(): void {
    this.#prf.fill(0);
  }

  wipe(): void {
    this.sessionKeys.wipe();
    this.profile.wipe();
  }
}
