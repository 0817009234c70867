/** Runs in browsers. Says notices aloud where the browser can and the reader wants it. */
export class Speaker {
  readonly #language: string;
  #enabled = false;

  constructor(language: string) {
    this.#language = language;
  }

  get available(): boolean {
    return "speechSynthesis" in globalThis;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  set enabled(enabled: boolean) {
    this.#enabled = enabled && this.available;
    if (!this.#enabled && this.available) speechSynthesis.cancel();
  }

  /** Says `text` in place of whatever is being said. */
  say(text: string): void {
    if (!this.#enabled) return;
    const utterance = new SpeechSynthesisUtterance(text);
    utterance.lang = this.#language;
    speechSynthesis.cancel();
    speechSynthesis.speak(utterance);
  }
}
