/** Command lines of `token`: flags by name, one help text for each command. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { UsageError } from "./errors.ts";

/** What flags a command has. */
export type FlagKinds = Readonly<Record<string, "text" | "list" | "flag">>;

/** What a command line gave, by kind. */
export interface Given {
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  flag(name: string): boolean;
  readonly positionals: readonly string[];
}

/** Flags of every command that opens a card. */
export const CARD_FLAGS = { reader: "text" } as const satisfies FlagKinds;

/** Flags of every command that asks for a PIN. */
export const PIN_FLAGS = { "pin-stdin": "flag", "pin-file": "text" } as const satisfies FlagKinds;

/** The help lines that belong to {@linkcode CARD_FLAGS} and {@linkcode PIN_FLAGS}. */
export const CARD_HELP =
  "  --reader NAME     the reader whose name contains NAME, when there are several";
export const PIN_HELP = `  --pin-stdin       read the PIN from standard input (first line)
  --pin-file FILE   read the PIN from FILE (first line)
                    without either, the PIN is asked for on the terminal`;

/**
 * Reads a command line; "help" when that was asked for.
 * @throws {UsageError} for unknown flags and too many words.
 */
export function readOptions(
  args: string[],
  shape: { flags: FlagKinds; positionals?: number },
): Given | "help" {
  const options: NonNullable<ParseArgsConfig["options"]> = {
    help: { type: "boolean", short: "h" },
  };
  for (const [name, kind] of Object.entries(shape.flags)) {
    options[name] = kind === "flag"
      ? { type: "boolean" }
      : { type: "string", multiple: kind === "list" };
  }
  let parsed;
  try {
    parsed = parseArgs({ args: joined(args, shape.flags), options, allowPositionals: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split(". ")[0] : String(error);
    throw new UsageError(`Cannot read the command line: ${reason}`);
  }
  const { values, positionals } = parsed;
  if (values.help === true) return "help";
  if (positionals.length > (shape.positionals ?? 0)) {
    throw new UsageError(
      `Cannot read the command line: ${positionals[shape.positionals ?? 0]} is unexpected`,
    );
  }
  return {
    text(name) {
      const value = values[name];
      return typeof value === "string" ? value : undefined;
    },
    list(name) {
      const value = values[name];
      return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
    },
    flag: (name) => values[name] === true,
    positionals,
  };
}

/** Keys in base64url may begin with a dash; without this they would be taken for options. */
function joined(args: readonly string[], flags: FlagKinds): string[] {
  const out: string[] = [];
  for (const arg of args) {
    const before = /^--(.+)$/.exec(out.at(-1) ?? "")?.[1] ?? "";
    const takesText = Object.hasOwn(flags, before) && flags[before] !== "flag";
    if (takesText && /^-[A-Za-z0-9_-]{42}$/.test(arg)) out.push(`${out.pop()}=${arg}`);
    else out.push(arg);
  }
  return out;
}
