/** A bench's options from the command line, and `--help`. */
import { fileURLToPath } from "node:url";
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";

/**
 * The values of these options. `--help` prints the first comment of the script that was started and
 * ends; an option that isn't known ends with 2.
 */
export function readOptions<Options extends ParseArgsOptionsConfig>(options: Options) {
  if (Deno.args.some((word) => word === "--help" || word === "-h")) {
    console.log(aboutScript(options));
    Deno.exit(0);
  }
  try {
    return parseArgs({ args: Deno.args, options }).values;
  } catch (error) {
    return misused((error as Error).message);
  }
}

/** The number behind an option; ends with 2 when it isn't one above zero. */
export function readNumber(option: string, value: string): number {
  const number = Number(value);
  return number > 0 ? number : misused(`Cannot take --${option} ${value}: not a number above 0`);
}

function misused(why: string): never {
  console.error(`${why} (see --help)`);
  Deno.exit(2);
}

function aboutScript(options: ParseArgsOptionsConfig): string {
  const source = Deno.readTextFileSync(fileURLToPath(Deno.mainModule));
  const [, comment = ""] = /^\/\*\*([^]*?)\*\//m.exec(source) ?? [];
  const words = Object.entries(options).map(([name, { type, default: value }]) => {
    const argument = type === "boolean" ? "" : " VALUE";
    return `  --${name}${argument}${value === undefined ? "" : ` (${String(value)})`}`;
  });
  return [
    comment.replaceAll(/^ *\* ?/gm, "").trim(),
    ...words.length === 0 ? [] : ["", "Options:", ...words],
  ].join("\n");
}
