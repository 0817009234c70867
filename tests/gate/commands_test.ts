/** Every command and option that a document names is one that the program knows. */
import assert from "node:assert/strict";
import { main, ROLES } from "../../main.ts";
import { walk } from "../runner/files.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const PAGES = [...walk(ROOT, "")].filter((path) => path.endsWith(".md"));

Deno.test("docs: each command and option is there", async () => {
  const wrong: string[] = [];
  let commands = 0;
  for (const page of PAGES) {
    for (const { role, command, options } of named(Deno.readTextFileSync(`${ROOT}/${page}`))) {
      commands++;
      const help = await helpOf(role, command);
      if (help === undefined) wrong.push(`${page}: there is no ${role} ${command ?? ""}`);
      for (const option of options) {
        const isThere = help === undefined ||
          new RegExp(`(^|[^\\w-])${option}(?![\\w-])`).test(help);
        if (!isThere) wrong.push(`${page}: ${role} ${command ?? ""} has no ${option}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(commands > 100, `${commands} commands found`);
});

interface Named {
  readonly role: string;
  /** Of `token`. */
  readonly command: string | undefined;
  readonly options: readonly string[];
}

/** A role by itself, or after the program's name; then a command of it, and what it is given. */
const COMMAND = /^(?:.*\b(?:sekisho|main\.ts) )?([a-z]+)(?= |$)(?: +([a-z][a-z-]*)\b)?(.*)$/;

/** The commands that stand in a page's code. */
function named(text: string): Named[] {
  const code = text.replaceAll("\\\n", " ").matchAll(/```[^\n]*\n([\s\S]*?)```|`([^`]+)`/g);
  const lines = [...code].flatMap(([, block, inline = ""]) =>
    block?.split("\n") ?? [inline.replaceAll("\n", " ")]
  );
  // A command within another one stands by itself.
  const parts = lines.flatMap((line) => line.replace(/#.*/, "").trim().split(/\$\(|[|)]/));
  return parts.flatMap((part) => {
    const [, role = "", second, rest = ""] = COMMAND.exec(part) ?? [];
    if (!Object.hasOwn(ROLES, role)) return [];
    const command = role === "token" ? second : undefined;
    // "token …" may be any command of it.
    const given = role === "token" && command === undefined ? "" : rest;
    return [{ role, command, options: given.match(/(?<![\w-])--[a-z][a-z-]*/g) ?? [] }];
  });
}

const helps = new Map<string, string | undefined>();

/** What `--help` says; undefined where there is no such command. */
async function helpOf(role: string, command?: string): Promise<string | undefined> {
  const args = [role, ...(command === undefined ? [] : [command]), "--help"];
  const key = args.join(" ");
  if (helps.has(key)) return helps.get(key);
  const { log, error } = console;
  let said = "";
  console.log = (text: string) => void (said += text);
  console.error = () => {};
  try {
    helps.set(key, await main(args) === 0 ? said : undefined);
  } finally {
    Object.assign(console, { log, error });
  }
  return helps.get(key);
}
