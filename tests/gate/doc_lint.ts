/** Every exported name of what others build on has a docstring. */

/** What one part of the project shows to others. Fields and methods may speak for themselves. */
const PUBLIC = ["gateway/view.ts", "tunnel/api.ts"];
const PUBLIC_FOLDERS = ["os"];

/** Resolves to one line for each exported name that lacks a docstring, or undefined. */
export async function docLint(root: string): Promise<string | undefined> {
  const files = [...PUBLIC, ...PUBLIC_FOLDERS.flatMap((folder) => modulesIn(root, folder))];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", ...files],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return undefined;
  const said = new TextDecoder().decode(stderr);
  const diagnostics = [...said.matchAll(/^error\[([a-z-]+)\]: (.*)\n +--> (.+):(\d+):\d+$/gm)];
  if (diagnostics.length === 0) return said; // it failed for another reason
  const wrong = diagnostics.flatMap(([, kind = "", message = "", file = "", line = ""]) =>
    matters(kind, { message, text: Deno.readTextFileSync(file), line: Number(line) })
      ? [`${file}:${line} ${message}`]
      : []
  );
  return wrong.length === 0 ? undefined : wrong.join("\n");
}

function modulesIn(root: string, folder: string): string[] {
  return [...Deno.readDirSync(`${root}/${folder}`)].map(({ name }) => `${folder}/${name}`)
    .filter((path) => path.endsWith(".ts") && !path.endsWith("_test.ts")).sort();
}

/** Constants, fields and methods may speak for themselves; types of libraries are theirs to export. */
function matters(
  kind: string,
  { message, text, line }: { message: string; text: string; line: number },
): boolean {
  switch (kind) {
    case "missing-jsdoc":
      return /^export (async )?(abstract )?(function|class|interface|type) /
        .test(text.split("\n")[line - 1] ?? "");
    case "private-type-ref": {
      const [, name = ""] = /private type '([^'.]+)/.exec(message) ?? [];
      return new RegExp(`^(interface|type|class) ${name}\\b`, "m").test(text);
    }
    case "missing-explicit-type":
    case "missing-return-type":
      return false; // the compiler infers them; this is no package for slow tools
    default:
      return true;
  }
}
