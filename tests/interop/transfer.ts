/**
 * Bulk data between two machines, run inside them: `serve ADDRESS PORT FILE` answers every request
 * with the file; `fetch URL` prints the SHA-256 of what it got.
 */
import { createHash } from "node:crypto";

const [mode, ...args] = Deno.args;
if (mode === "serve") {
  const [hostname = "", port = "", file = ""] = args;
  Deno.serve({ hostname, port: Number(port), onListen: () => {} }, async () => {
    return new Response((await Deno.open(file)).readable);
  });
} else {
  const [url = ""] = args;
  const hash = createHash("sha256");
  const { body } = await fetch(url);
  for await (const chunk of body ?? []) hash.update(chunk);
  console.log(hash.digest("hex"));
}
