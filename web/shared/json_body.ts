import type { Context } from "hono";
import * as v from "valibot";

/** A body that was taken, or the answer that says why not. */
export type JsonBody<T> = { readonly value: T } | { readonly refusal: Response };

/**
 * Reads a JSON body of a known shape. Other media types get 415, what is not JSON or not of the
 * shape gets 400; the size is bounded by `bodyLimit` before this.
 */
export async function jsonBody<S extends v.GenericSchema>(
  c: Context,
  schema: S,
): Promise<JsonBody<v.InferOutput<S>>> {
  const type = (c.req.header("Content-Type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    return { refusal: c.json({ error: "Cannot read the body: send application/json" }, 415) };
  }
  let parsed: unknown;
  try {
    parsed = await c.req.json();
  } catch {
    return { refusal: c.json({ error: "Cannot read the body: it is not JSON" }, 400) };
  }
  const checked = v.safeParse(schema, parsed);
  if (!checked.success) {
    const issue = checked.issues[0];
    const where = v.getDotPath(issue) ?? "body";
    const error = `Cannot take the body: ${where}: expected ${issue.expected ?? issue.message}`;
    return { refusal: c.json({ error }, 400) };
  }
  return { value: checked.output };
}
