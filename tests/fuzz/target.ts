/** One thing that is fuzzed. */
export interface FuzzTarget {
  /** Also the name of its folder in `corpus/`. */
  readonly name: string;
  /** Inputs to begin with, where there is no corpus. */
  readonly seeds: readonly Uint8Array[];
  /**
   * Gives `input` to the code and throws if a promise is broken. Returns what happened in a few
   * words: an input that makes something else happen than all before is worth keeping.
   */
  run(input: Uint8Array): string | Promise<string>;
}
