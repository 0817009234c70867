/** Finds the test files, and tells those that build a lab from those that don't. */

export interface TestFiles {
  /** Stand beside their code; may run side by side. */
  readonly units: readonly string[];
  /** Start daemons, build networks or watch the clock; run one after the other. */
  readonly labs: readonly string[];
}

const NOT_OURS = new Set([".git", ".build", "node_modules", "dist"]);

/** Test files under `root`, as paths relative to it, that lie at or under one of `wanted` (all when empty). */
export function findTests(root: string, wanted: readonly string[]): TestFiles {
  const files = [...walk(root, "")].filter((path) => /_test\.tsx?$/.test(path)).sort();
  const chosen = wanted.length === 0
    ? files
    : files.filter((path) => wanted.some((want) => path === want || path.startsWith(`${want}/`)));
  const units = chosen.filter((path) => !needsLab(root, path));
  return { units, labs: chosen.filter((path) => !units.includes(path)) };
}

/** Every file under `root`, as a relative path, except what is fetched, built or git's. */
export function* walk(root: string, folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(`${root}/${folder}`)) {
    if (NOT_OURS.has(name)) continue;
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isDirectory) yield* walk(root, path);
    else yield path;
  }
}

function needsLab(root: string, path: string): boolean {
  if (path.startsWith("bench/")) return true;
  return /from "[^"]*\/(lab\/(lab|machine|needs)|demo\/[a-z_]+)\.ts"|"playwright-core"|from "\.\/(lab|machine|needs)\.ts"/
    .test(Deno.readTextFileSync(`${root}/${path}`));
}
