/** Who imports whom: the project's own modules, read from their text. */
import { posix } from "node:path";

export interface Import {
  /** Paths relative to the root of the project. */
  readonly from: string;
  readonly to: string;
}

/** Named where the program starts another process of itself, which is no import. */
const PROGRAM = "main.ts";

/** What `text`, the module at `path`, takes from other modules of the project, workers included. */
export function importsOf(path: string, text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const found = code.matchAll(
    /(?:\bfrom|\bimport|\bimport\s*\(|\bnew\s+URL\s*\(|import\.meta\.resolve\s*\()\s*["'](\.{1,2}\/[^"']+)["']/g,
  );
  return [...found].map((match) => ({
    from: path,
    to: posix.normalize(posix.join(posix.dirname(path), match[1] ?? "")),
  })).filter(({ to }) => /\.tsx?$/.test(to) && to !== PROGRAM);
}
