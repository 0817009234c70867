/** The role `demo`: the whole network on one machine, the story on it, then the panel to play with. */
import about from "../../deno.json" with { type: "json" };
import { removeStaleFolders } from "../lab/stale.ts";
import { needsRoot } from "../lab/needs.ts";
import { openWorld } from "../story/open_world.ts";
import { tellStory } from "../story/story.ts";
import { type DemoOptions, parseDemoOptions, USAGE } from "./options.ts";
import { play } from "./play.ts";
import { Screen } from "./screen.ts";

/** Resolves to the exit code: 0 done, 1 failed (one line on stderr), 2 wrong usage. */
export async function demoRole(args: readonly string[]): Promise<number> {
  const options = parseDemoOptions(args);
  if (options === "help") {
    console.log(USAGE);
    return 0;
  }
  if ("wrong" in options) {
    console.error(`${options.wrong}; see demo --help`);
    return 2;
  }
  if (needsRoot !== undefined) {
    console.error(`Cannot run the demo: it ${needsRoot}; run it as root (sudo)`);
    return 1;
  }
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  Deno.addSignalListener("SIGINT", interrupt);
  Deno.addSignalListener("SIGTERM", interrupt);
  try {
    return await run(options, stop.signal);
  } finally {
    Deno.removeSignalListener("SIGINT", interrupt);
    Deno.removeSignalListener("SIGTERM", interrupt);
  }
}

async function run(options: DemoOptions, stop: AbortSignal): Promise<number> {
  const began = Date.now();
  const screen = new Screen();
  const removed = await removeStaleFolders();
  if (removed > 0) console.log(`Removed what ${removed} crashed runs left behind.`);
  let failure: string | undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop.addEventListener("abort", () => reject(new Error("stopped by a signal")));
  });
  stopped.catch(() => {}); // also when nobody waits any more
  try {
    const { hub, identity } = options;
    await using world = await openWorld({ hub, identity }, screen);
    try {
      await Promise.race([tellStory(world), stopped]);
      screen.end("done");
    } catch (error) {
      screen.end("failed");
      failure = error instanceof Error ? error.message : String(error);
    }
    if (screen.figures.length > 0) screen.table();
    if (options.json !== undefined) {
      await writeJson(options.json, { options, screen, began, failure });
    }
    if (failure === undefined) {
      console.log(`The story holds (${((Date.now() - began) / 1000).toFixed(0)} s).`);
      if (!options.once) await play(world, { port: options.port, stop });
    }
    screen.step("Taking everything down");
  } catch (error) {
    failure ??= error instanceof Error ? error.message : String(error);
  }
  screen.end(failure === undefined ? "done" : "failed");
  if (failure === undefined) return 0;
  console.error(`Cannot tell the story: ${failure}`);
  return 1;
}

async function writeJson(
  path: string,
  { options, screen, began, failure }: {
    options: DemoOptions;
    screen: Screen;
    began: number;
    failure: string | undefined;
  },
): Promise<void> {
  const { hub, identity } = options;
  const report = {
    program: `sekisho ${about.version}`,
    began: new Date(began).toISOString(),
    seconds: Math.round((Date.now() - began) / 100) / 10,
    hub,
    identity,
    passed: failure === undefined,
    ...(failure === undefined ? {} : { failure }),
    figures: screen.figures,
  };
  await Deno.writeTextFile(path, `${JSON.stringify(report, undefined, 2)}\n`);
}
