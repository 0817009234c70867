/**
 * nftables, by libnftables in this process (0.4 ms a transaction) or, where the library is missing,
 * by the program `nft`. One `run` is one transaction: all of it or nothing.
 * Source: libnftables(3), libnftables-json(5).
 */
import { spawnSync } from "node:child_process";

/** What the kernel or the parser said against a transaction; nothing of it was applied. */
export class NftablesError extends Error {
  override readonly name = "NftablesError";
}

/** A way to the rules of one network namespace. */
export interface Nftables extends Disposable {
  readonly by: "libnftables" | "nft";
  /** Applies commands in one transaction, or lists; returns what nft prints. Synchronous. */
  run(commands: string): string;
  /** The same with the output as parsed JSON: the array under "nftables". */
  json(commands: string): unknown[];
  /** Asks kernel and parser whether they would take it, and applies nothing. */
  check(commands: string): void;
}

/**
 * Talks to the network namespace in which this is called.
 * @throws {Error} when neither library nor program is there.
 */
export function openNftables(options: { prefer?: "libnftables" | "nft" } = {}): Nftables {
  if (options.prefer !== "nft") {
    try {
      return new LibraryNftables(Deno.dlopen("libnftables.so.1", SYMBOLS));
    } catch (error) {
      if (options.prefer === "libnftables") throw error;
    }
  }
  return new ProgramNftables();
}

const SYMBOLS = {
  nft_ctx_new: { parameters: ["u32"], result: "pointer" },
  nft_ctx_free: { parameters: ["pointer"], result: "void" },
  nft_ctx_output_set_flags: { parameters: ["pointer", "u32"], result: "void" },
  nft_ctx_set_dry_run: { parameters: ["pointer", "bool"], result: "void" },
  nft_ctx_buffer_output: { parameters: ["pointer"], result: "i32" },
  nft_ctx_buffer_error: { parameters: ["pointer"], result: "i32" },
  nft_ctx_get_output_buffer: { parameters: ["pointer"], result: "pointer" },
  nft_ctx_get_error_buffer: { parameters: ["pointer"], result: "pointer" },
  nft_run_cmd_from_buffer: { parameters: ["pointer", "buffer"], result: "i32" },
} as const;

type Library = Deno.DynamicLibrary<typeof SYMBOLS>;

/** nftables/libnftables.h */
const NFT_CTX_DEFAULT = 0;
const NFT_CTX_OUTPUT_JSON = 1 << 4;

class LibraryNftables implements Nftables {
  readonly by = "libnftables";
  readonly #library: Library;
  #context: Deno.PointerValue;

  constructor(library: Library) {
    this.#library = library;
    this.#context = library.symbols.nft_ctx_new(NFT_CTX_DEFAULT);
    if (this.#context === null) {
      throw new Error("Cannot open nftables: the library gave no context");
    }
    library.symbols.nft_ctx_buffer_output(this.#context);
    library.symbols.nft_ctx_buffer_error(this.#context);
  }

  run(commands: string): string {
    return this.#call(commands, { json: false, dry: false });
  }

  json(commands: string): unknown[] {
    return parseJson(this.#call(commands, { json: true, dry: false }));
  }

  check(commands: string): void {
    this.#call(commands, { json: false, dry: true });
  }

  [Symbol.dispose](): void {
    if (this.#context === null) return;
    this.#library.symbols.nft_ctx_free(this.#context);
    this.#context = null;
    this.#library.close();
  }

  #call(commands: string, { json, dry }: { json: boolean; dry: boolean }): string {
    const c = this.#library.symbols;
    c.nft_ctx_output_set_flags(this.#context, json ? NFT_CTX_OUTPUT_JSON : 0);
    c.nft_ctx_set_dry_run(this.#context, dry);
    const text = new TextEncoder().encode(`${commands}\0`);
    const failed = c.nft_run_cmd_from_buffer(this.#context, text) !== 0;
    // Both buffers are reset only when they are read.
    const output = readText(c.nft_ctx_get_output_buffer(this.#context));
    const errors = readText(c.nft_ctx_get_error_buffer(this.#context));
    if (failed) throw refused(errors);
    return output;
  }
}

class ProgramNftables implements Nftables {
  readonly by = "nft";

  constructor() {
    this.#call(["--version"], "");
  }

  run(commands: string): string {
    return this.#call(["-f", "-"], commands);
  }

  json(commands: string): unknown[] {
    return parseJson(this.#call(["-j", commands], ""));
  }

  check(commands: string): void {
    this.#call(["-c", "-f", "-"], commands);
  }

  [Symbol.dispose](): void {}

  #call(args: string[], input: string): string {
    const { error, status, stdout, stderr } = spawnSync("nft", args, {
      input,
      encoding: "utf8",
      timeout: 10_000,
      maxBuffer: 64 << 20,
    });
    if (error) {
      throw new Error(
        `Cannot open nftables: neither libnftables.so.1 nor nft runs (${error.message}); ` +
          `install the package nftables`,
      );
    }
    if (status !== 0) throw refused(stderr);
    return stdout;
  }
}

function readText(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}

function parseJson(text: string): unknown[] {
  if (text === "") return [];
  const { nftables } = JSON.parse(text) as { nftables?: unknown };
  return Array.isArray(nftables) ? nftables : [];
}

function refused(errors: string): NftablesError {
  const words = errors.trim().split("\n").filter((line) => line.includes("Error")).slice(0, 3);
  return new NftablesError(`Cannot apply the ruleset: ${words.join("; ") || errors.trim()}`);
}
