/** How one exchange differs from the channel's others. */
export interface TransmitOptions {
  /**
   * How long this answer may take in milliseconds, where that is more than the channel's own bound:
   * a card that makes an RSA key, or waits for a touch, works much longer than for anything else.
   */
  readonly answerMs?: number;
}

/** Whatever carries command APDUs to one card and brings its answers back. */
export interface CardChannel {
  /**
   * Sends one raw command APDU (4 to 65,544 bytes) and resolves to the raw response: data followed
   * by the two status bytes.
   * @throws {CardGoneError} when the card or its reader is no longer there.
   * @throws {CardSilentError} when no answer came within the channel's bound.
   */
  transmit(command: Uint8Array, options?: TransmitOptions): Promise<Uint8Array>;
}

/** The card was pulled, was reset by somebody else, or its reader vanished. */
export class CardGoneError extends Error {
  override readonly name = "CardGoneError";
}

/** The card gave no answer in time; the session must be given up. */
export class CardSilentError extends Error {
  override readonly name = "CardSilentError";
}

/** The card answered what no card may answer (too short, cut or malformed data). */
export class CardGarbledError extends Error {
  override readonly name = "CardGarbledError";
}

/** The card refused a command, and no caller's value stands for the refusal. */
export class CardRefusedError extends Error {
  override readonly name: string = "CardRefusedError";
  /** The status word. */
  readonly sw: number;

  constructor(message: string, sw: number) {
    super(message);
    this.sw = sw;
  }
}
