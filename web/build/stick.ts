/** Bundles what a stick carries: the launcher of its visible part, the client of its hidden one. */
import * as esbuild from "esbuild";
import { fileURLToPath } from "node:url";
import { type BuildRecord, isFresh, recordOf } from "./freshness.ts";
import { npmResolver } from "./npm_resolver.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = `${ROOT}.build/stick`;
const RECORD = `${FOLDER}/build.json`;
const OWN_INPUTS = ["deno.json", "deno.lock", "web/build/stick.ts", "web/build/npm_resolver.ts"];

const WORKER = "tunnel/dataplane/worker.ts";
const WORKER_NAMED = `import.meta.resolve("./dataplane/worker.ts")`;

const OPTIONS = {
  absWorkingDir: ROOT,
  bundle: true,
  minify: true,
  format: "esm",
  platform: "node",
  target: "esnext",
  charset: "utf8",
  legalComments: "none",
  metafile: true,
  write: false,
  logLevel: "silent",
} as const;

/** Builds when needed; returns the one line that says what was done. The caller stops esbuild. */
export async function buildStick(): Promise<string> {
  const record = await readRecord();
  if (record !== undefined && await isFresh(record, ROOT)) return "stick bundles are up to date";
  const started = Date.now();
  const worker = await esbuild.build({
    ...OPTIONS,
    entryPoints: [WORKER],
    outdir: FOLDER,
    plugins: [npmResolver()],
  });
  const [code] = worker.outputFiles;
  if (code === undefined) throw new Error("the worker's bundle is missing");
  const bundles = await esbuild.build({
    ...OPTIONS,
    entryPoints: { launcher: "token/stick/launcher_main.ts", client: "gateway/carried/main.ts" },
    outdir: FOLDER,
    plugins: [workerInside(code.text), npmResolver()],
  });
  await Deno.mkdir(FOLDER, { recursive: true });
  for (const { path, contents } of bundles.outputFiles) await replace(path, contents);
  const inputs = [worker, bundles].flatMap(({ metafile }) => Object.keys(metafile.inputs))
    .filter((path) => !path.startsWith("worker:"));
  const outputs = Object.keys(bundles.metafile.outputs);
  const built = await recordOf({ inputs: [...OWN_INPUTS, ...inputs], outputs }, ROOT);
  await replace(RECORD, new TextEncoder().encode(JSON.stringify(built)));
  const sizes = bundles.outputFiles.map(({ path, contents }) =>
    `${path.split("/").at(-1)} ${Math.ceil(contents.length / 1024)} KB`
  );
  return `stick bundles built in ${Date.now() - started} ms: ${sizes.join(", ")}`;
}

/** A program in memory has no files beside it: the tunnel's worker lies in the bundle, as a blob. */
function workerInside(code: string): esbuild.Plugin {
  return {
    name: "worker-inside",
    setup(build) {
      build.onLoad({ filter: /\/tunnel\/tunnel\.ts$/ }, async ({ path }) => {
        const text = await Deno.readTextFile(path);
        const parts = text.split(WORKER_NAMED);
        if (parts.length !== 2) {
          return { errors: [{ text: `${path} names its worker in another way than expected` }] };
        }
        return {
          contents: `import workerCode from "worker:code";
const workerUrl = URL.createObjectURL(new Blob([workerCode], { type: "text/javascript" }));
${parts.join("workerUrl")}`,
          loader: "ts",
        };
      });
      build.onResolve({ filter: /^worker:code$/ }, () => ({ path: "code", namespace: "worker" }));
      build.onLoad(
        { filter: /.*/, namespace: "worker" },
        () => ({ contents: code, loader: "text" }),
      );
    },
  };
}

async function replace(path: string, contents: Uint8Array): Promise<void> {
  const fresh = `${path}.${Deno.pid}`;
  await Deno.writeFile(fresh, contents);
  await Deno.rename(fresh, path);
}

async function readRecord(): Promise<BuildRecord | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(RECORD)) as BuildRecord;
  } catch {
    return undefined;
  }
}
