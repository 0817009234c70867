/** Reads a TOML file against a schema; whatever is wrong with it becomes one line for people. */
import { parse, TomlError } from "smol-toml";
import * as v from "valibot";

/** A configuration that can't be used. The role that meets it ends with exit code 2. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly file: string;
  /** Dotted path of the key, "" for the file as a whole. */
  readonly key: string;
  /** What should be there. */
  readonly expected: string;
  constructor(file: string, { key, state, expected }: ConfigFault) {
    const where = key === "" ? file : `${file}: ${key}`;
    super(`Cannot use configuration ${where}: ${state}; expected ${expected}`);
    this.file = file;
    this.key = key;
    this.expected = expected;
  }
}

interface ConfigFault {
  readonly key: string;
  readonly state: string;
  readonly expected: string;
}

/** Configurations are small; what is larger is something else. */
const MAX_BYTES = 1 << 20;

/**
 * Schemas say what they expect in their messages ("a port, 1 to 65535"), and refuse unknown keys by
 * being strict objects.
 * @throws {ConfigError} for a file that is missing, unreadable, not TOML, or not as the schema wants it.
 */
export async function loadConfig<S extends v.GenericSchema>(
  path: string,
  schema: S,
): Promise<v.InferOutput<S>> {
  return parseConfig(await readFile(path), { file: path, schema });
}

/** The part of `loadConfig` without I/O. `file` is only for messages. */
export function parseConfig<S extends v.GenericSchema>(
  text: string,
  { file, schema }: { file: string; schema: S },
): v.InferOutput<S> {
  const given = parseToml(text, file);
  const result = v.safeParse(schema, given, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new ConfigError(
    file,
    faultOf(issue, isMissing(issue) ? ask(given, { issue, schema }) : issue),
  );
}

/** The object's own complaint about a missing key names the key only. */
function isMissing(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === "strict_object" && issue.received === "undefined" &&
    issue.expected?.startsWith('"') === true;
}

/** With the missing key there and undefined, the key's own schema says what it expects. */
function ask(
  given: unknown,
  { issue, schema }: { issue: v.BaseIssue<unknown>; schema: v.GenericSchema },
): v.BaseIssue<unknown> {
  const path = issue.path?.map((item) => item.key) ?? [];
  // deno-lint-ignore no-explicit-any -- the path comes from this very value
  let at: any = given;
  for (const key of path.slice(0, -1)) at = at[key as string];
  at[path.at(-1) as string] = undefined;
  const again = v.safeParse(schema, given, { abortEarly: true });
  return again.success ? issue : again.issues[0];
}

async function readFile(path: string): Promise<string> {
  const expected = "a TOML file of at most 1 MiB that this user may read";
  const fault = (state: string) => new ConfigError(path, { key: "", state, expected });
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile) throw fault("it is not a file");
    if (size > MAX_BYTES) throw fault(`it has ${size} bytes`);
    return new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    if (error instanceof Deno.errors.NotFound) throw fault("it is not there");
    if (error instanceof TypeError) throw fault("it is not text in UTF-8");
    if (error instanceof Deno.errors.PermissionDenied) throw fault("reading it is not permitted");
    throw fault(`it can't be read (${error instanceof Error ? error.message : error})`);
  }
}

function parseToml(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [what = ""] = error.message.replace("Invalid TOML document: ", "").split("\n");
    throw new ConfigError(file, {
      key: `line ${error.line}`,
      state: what,
      expected: "TOML (https://toml.io)",
    });
  }
}

function faultOf(issue: v.BaseIssue<unknown>, asked: v.BaseIssue<unknown>): ConfigFault {
  const key = v.getDotPath(issue) ?? "";
  if (issue.expected === "never") {
    return { key, state: "there is no such key", expected: "only keys that the guide lists" };
  }
  if (issue.received === "undefined") {
    return { key, state: "it is missing", expected: expectation(asked) };
  }
  return { key, state: `it is ${shown(issue.input)}`, expected: expectation(issue) };
}

/** Valibot's own messages start with "Invalid"; a schema's own message is what it expects. */
function expectation(issue: v.BaseIssue<unknown>): string {
  if (!issue.message.startsWith("Invalid ")) return issue.message;
  switch (issue.expected) {
    case "Object":
      return "a table";
    case "Array":
      return "a list";
    case "string":
      return "a text";
    default:
      return issue.expected ?? "another value";
  }
}

/** A value in short: never a whole table, and bounded. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a table";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
