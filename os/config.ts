/**
 * Reads a TOML file into what a valibot schema promises, or says in one line what is wrong: file,
 * key, what is expected. Source: TOML 1.0.
 */
import { parse, TomlError } from "smol-toml";
import * as v from "valibot";

const MAX_BYTES = 1 << 20;

/** A configuration that can't be used; roles end with code 2 on it. The message is one line. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Unknown keys are refused where the schema says `v.strictObject`. What a key expects is told in the
 * words of its `v.description("an address such as 10.0.0.1/24")`.
 * @throws {ConfigError}
 */
export async function loadConfig<Schema extends v.GenericSchema>(
  path: string,
  schema: Schema,
): Promise<v.InferOutput<Schema>> {
  return parseConfig(await readText(path), { name: path, schema });
}

/** The same for text that is already there; `name` stands for the file in messages. */
export function parseConfig<Schema extends v.GenericSchema>(
  text: string,
  { name, schema }: { readonly name: string; readonly schema: Schema },
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, parseToml(text, name), { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new ConfigError(`Cannot use ${name}: ${explain(issue, schema)}`);
}

async function readText(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readBounded(path);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`Cannot read ${path}: ${whyUnreadable(error)}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(`Cannot read ${path}: it is not UTF-8 text; expected TOML`);
  }
}

/** A pipe or a device doesn't tell its size before it is read. */
async function readBounded(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(MAX_BYTES + 1);
  let length = 0;
  for (let got: number | null; (got = await file.read(bytes.subarray(length))) !== null;) {
    length += got;
    if (length > MAX_BYTES) {
      throw new ConfigError(`Cannot read ${path}: it has more than 1 MiB; name the right file`);
    }
  }
  return bytes.subarray(0, length);
}

function whyUnreadable(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file; write it or name it";
  if (error instanceof Deno.errors.PermissionDenied) return "this user may not; give it the right";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder; name a TOML file";
  return error instanceof Error ? error.message : String(error);
}

function parseToml(text: string, name: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const why = error.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "";
    throw new ConfigError(`Cannot read ${name}: line ${error.line}: not TOML: ${why}`);
  }
}

function explain(issue: v.BaseIssue<unknown>, schema: v.GenericSchema): string {
  const path = (issue.path ?? []).map((item) => item.key);
  const key = path.reduce<string>(
    (text, part) =>
      typeof part === "number"
        ? `${text}[${part + 1}]`
        : text === ""
        ? `${part}`
        : `${text}.${part}`,
    "",
  );
  if (issue.expected === "never") return `${key} is no key that is known here; remove it`;
  const expected = expectation(schema, path) ?? issue.message;
  if (issue.kind === "schema" && issue.received === "undefined") {
    return `${key} is missing; expected ${expected}`;
  }
  const subject = key === "" ? "" : `${key}: `;
  // What a check says is about several keys at once: its own words are all there is to tell.
  if (issue.type === "check" || issue.type === "raw_check" || issue.type === "partial_check") {
    return `${subject}${issue.message}`;
  }
  return `${subject}expected ${expected}, not ${show(issue.input)}`;
}

/** A value in few words: configurations name the files of secrets, so none is in one. */
function show(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "a table";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** What the schema says of the key at `path`: its description, or the type it wants. */
function expectation(schema: v.GenericSchema, path: readonly unknown[]): string | undefined {
  let at: unknown = schema;
  for (const key of path) {
    at = unwrap(at);
    if (typeof key === "number") at = member(at, "item");
    else at = member(member(at, "entries"), String(key));
  }
  if (typeof at !== "object" || at === null) return undefined;
  const found = v.getDescription(at as v.GenericSchema) ??
    v.getDescription(unwrap(at) as v.GenericSchema);
  const { expects } = unwrap(at) as v.GenericSchema;
  return found ?? (expects === "Object" ? "a table" : expects);
}

/** The schema inside `v.optional` and its kin. */
function unwrap(schema: unknown): unknown {
  for (let at = schema;;) {
    const inner = member(at, "wrapped");
    if (inner === undefined) return at;
    at = inner;
  }
}

function member(of: unknown, name: string): unknown {
  if (typeof of !== "object" || of === null) return undefined;
  return (of as Record<string, unknown>)[name];
}
