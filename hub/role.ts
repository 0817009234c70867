/** `hub --config FILE`: runs a hub until SIGTERM or SIGINT; SIGHUP reads the file again. */
import { ConfigError, loadConfig } from "../os/config.ts";
import { holdInstance } from "../os/instance_lock.ts";
import { holdNetwork } from "../os/network_lock.ts";
import type { CloseReason } from "../tunnel/api.ts";
import { Hub } from "./hub.ts";
import { type HubConfig, HubConfigSchema } from "./hub_config.ts";
import { HubTokens } from "./hub_tokens.ts";
import { askStatus, serveStatus } from "./status_socket.ts";

const USAGE = "hub [status] --config FILE";
const HELP = `Usage: ${USAGE}
  --config FILE          run the hub; SIGHUP reads FILE again, SIGTERM ends it
  status --config FILE   print what the running hub tells of itself, as JSON
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.`;

/** How often the lists of what was taken back are looked at, in milliseconds. */
const BEAT_MS = 1_000;

export async function hubRole(args: string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(HELP);
    return 0;
  }
  const rest = args[0] === "status" ? args.slice(1) : args;
  const [flag, path, ...more] = rest;
  if (flag !== "--config" || path === undefined || more.length > 0) {
    console.error(`Cannot start the hub: its arguments are not understood; use: ${USAGE}`);
    return 2;
  }
  try {
    const config = await loadConfig(path, HubConfigSchema);
    return await (args[0] === "status" ? printStatus(config) : run(config, path));
  } catch (error) {
    console.error(messageOf(error));
    return error instanceof ConfigError ? 2 : 1;
  }
}

async function printStatus({ run }: HubConfig): Promise<number> {
  const text = await askStatus(socketIn(run));
  console.log(JSON.stringify(JSON.parse(text), undefined, 2));
  return 0;
}

async function run(config: HubConfig, path: string): Promise<number> {
  const lock = await holdInstance(config.run, { role: "hub", mode: 0o700 });
  try {
    // The rules are the network's: a second hub's would open what the first one's clients may not.
    const place = holdNetwork({ role: "hub" });
    try {
      const end = await serve(config, path);
      if (end === "asked") return 0;
      const why = end.kind === "failed" ? end.message : "its interface was deleted";
      throw new Error(`Cannot go on as a hub: ${why}; start it again`);
    } finally {
      place.release();
    }
  } finally {
    lock.release();
  }
}

async function serve(config: HubConfig, path: string): Promise<CloseReason | "asked"> {
  using tokens = await HubTokens.open(config, { say: (line) => console.log(line) });
  const hub = await Hub.start(tokens.admitted(config));
  let current = config;
  const status = async () => ({ ...await hub.status(), ...tokens.status(current) });
  using _socket = serveStatus(socketIn(config.run), status);
  let busy = Promise.resolve();
  const next = (step: () => Promise<void>) => void (busy = busy.then(step));
  const reload = async () => {
    try {
      const file = await loadConfig(path, HubConfigSchema);
      await tokens.reload(file);
      await hub.reload(tokens.admitted(file));
      current = file;
      console.log(`Hub reloaded: ${file.client.length} clients`);
    } catch (error) {
      console.error(`${messageOf(error)} (the hub goes on as before)`);
    }
  };
  /** Who was taken back is out within a second; all others keep their sessions. */
  const look = async () => {
    try {
      if (await tokens.look()) await hub.reload(tokens.admitted(current));
    } catch (error) {
      console.error(messageOf(error));
    }
  };
  using _reload = onSignals(["SIGHUP"], () => next(reload));
  // Before it is said that the hub is up: whoever hears that may end it at once.
  const asked = Promise.withResolvers<"asked">();
  using _end = onSignals(["SIGTERM", "SIGINT"], () => asked.resolve("asked"));
  const beat = setInterval(() => next(look), BEAT_MS);
  console.log(
    `Hub up: ${config.interface}, UDP port ${config.listen_port}, ${config.client.length} clients`,
  );
  const end = await Promise.race([asked.promise, hub.closed]);
  clearInterval(beat);
  await busy;
  await hub.stop();
  return end;
}

function onSignals(signals: readonly Deno.Signal[], handler: () => void): Disposable {
  for (const signal of signals) Deno.addSignalListener(signal, handler);
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) Deno.removeSignalListener(signal, handler);
    },
  };
}

function socketIn(run: string): string {
  return `${run}/hub.sock`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
