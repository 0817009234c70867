/** The role `engine`: the key-holding process of one token. Started by the gateway, never by hand. */
import { Engine } from "./engine.ts";

const HELP = `Usage: sekisho engine

The process that holds one unlocked token's keys. The gateway starts it and talks to it over its
standard input and output; by hand there is nothing to do here. Run "sekisho gateway" instead.
`;

export async function engineRole(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(HELP.trimEnd());
    return 0;
  }
  if (args.length > 0 || Deno.stdin.isTerminal()) {
    console.error('sekisho engine: it is started by the gateway; run "sekisho gateway" instead');
    return 2;
  }
  return await new Engine().run();
}
