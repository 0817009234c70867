/** Bundles what browsers load into web/dist/, and what sticks carry; does nothing when that is up to date. */
import * as esbuild from "esbuild";
import { fileURLToPath } from "node:url";
import { type BuildRecord, isFresh, recordOf } from "./build/freshness.ts";
import { npmResolver } from "./build/npm_resolver.ts";
import { buildStick } from "./build/stick.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DIST = `${ROOT}web/dist`;
const RECORD = `${DIST}/build.json`;

/** What a build depends on beside the files that the bundles are made of. */
const OWN_INPUTS = ["deno.json", "deno.lock", "web/build.ts", "web/build/npm_resolver.ts"];

/** Builds when needed; returns the one line that says what was done. */
export async function buildWeb(): Promise<string> {
  const record = await readRecord();
  if (record !== undefined && await isFresh(record, ROOT)) return "web/dist is up to date";
  const started = Date.now();
  try {
    const result = await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: {
        portal: "web/portal/client.tsx",
        purse: "web/purse/client.tsx",
        panel: "web/panel/client.tsx",
      },
      outdir: DIST,
      bundle: true,
      minify: true,
      format: "esm",
      target: ["es2022", "chrome100", "firefox100", "safari15.4"],
      charset: "utf8",
      legalComments: "none",
      jsx: "automatic",
      jsxImportSource: "hono/jsx/dom",
      plugins: [npmResolver({ "hono/jsx": "hono/jsx/dom" })],
      metafile: true,
      write: false,
      logLevel: "silent",
    });
    const styles = await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: ["web/portal/portal.css", "web/panel/panel.css"],
      entryNames: "[name]",
      outdir: DIST,
      bundle: true,
      minify: true,
      target: ["chrome100", "firefox100", "safari15.4"],
      plugins: [npmResolver()],
      metafile: true,
      write: false,
      logLevel: "silent",
    });
    await Deno.mkdir(DIST, { recursive: true });
    for (const file of [...result.outputFiles, ...styles.outputFiles]) await replace(file);
    const metafiles = [result.metafile, styles.metafile];
    const outputs = metafiles.flatMap((metafile) => Object.entries(metafile.outputs));
    const inputs = metafiles.flatMap((metafile) => Object.keys(metafile.inputs));
    const built = await recordOf(
      { inputs: [...OWN_INPUTS, ...inputs], outputs: outputs.map(([file]) => file) },
      ROOT,
    );
    await replace({ path: RECORD, contents: new TextEncoder().encode(JSON.stringify(built)) });
    const sizes = outputs.map(([file, { bytes }]) =>
      `${file.split("/").at(-1)} ${Math.ceil(bytes / 1024)} KB`
    );
    return `web/dist built in ${Date.now() - started} ms: ${sizes.join(", ")}`;
  } finally {
    await esbuild.stop();
  }
}

/** Whoever reads at the same time sees the old file or the new one, never half of one. */
async function replace(file: { path: string; contents: Uint8Array }): Promise<void> {
  const fresh = `${file.path}.${Deno.pid}`;
  await Deno.writeFile(fresh, file.contents);
  await Deno.rename(fresh, file.path);
}

async function readRecord(): Promise<BuildRecord | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(RECORD)) as BuildRecord;
  } catch {
    return undefined; // not built yet, or cut in the middle: build
  }
}

if (import.meta.main) {
  try {
    console.log(await buildWeb());
    console.log(await buildStick());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.error(`Cannot build the web pages and stick bundles: ${reason}`);
    Deno.exit(1);
  } finally {
    await esbuild.stop();
  }
}
