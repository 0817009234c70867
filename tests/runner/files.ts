/** Finds the test files, and tells those that build a lab, or want the machine, from the others. */

export interface TestFiles {
  /** Stand beside their code; may run side by side. */
  readonly units: readonly string[];
  /** Start daemons and build networks, which don't meet another's; two run side by side. */
  readonly labs: readonly string[];
  /** Labs that measure: nothing else runs beside them. */
  readonly alone: readonly string[];
}

/** They print times or watch memory for minutes. Load would not fail them, but make figures worthless. */
const ALONE: ReadonlySet<string> = new Set([
  "tests/e2e/story_test.ts",
  "tests/interop/memory_test.ts",
]);

const NOT_OURS = new Set([".git", ".build", "node_modules", "dist"]);

/** Test files under `root`, as paths relative to it, that lie at or under one of `wanted` (all when empty). */
export function findTests(root: string, wanted: readonly string[]): TestFiles {
  const files = [...walk(root, "")].filter((path) => /_test\.tsx?$/.test(path)).sort();
  const chosen = wanted.length === 0
    ? files
    : files.filter((path) => wanted.some((want) => path === want || path.startsWith(`${want}/`)));
  const units = chosen.filter((path) => !needsLab(root, path));
  const labs = chosen.filter((path) => !units.includes(path));
  const alone = labs.filter((path) => ALONE.has(path));
  return { units, labs: labs.filter((path) => !ALONE.has(path)), alone };
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
