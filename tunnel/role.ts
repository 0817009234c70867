/** `tunnel IFNAME`: a userspace WireGuard device and nothing else, as `wireguard-go` is. */
import { existsSync } from "node:fs";
import { basename, dirname } from "node:path";
import { selfCommand } from "../os/self_command.ts";
import type { CloseReason, Tunnel, TunnelEvent } from "./api.ts";
import { isAnswered, socketPath, UapiServer } from "./uapi/server.ts";
import { startTunnel } from "./tunnel.ts";

const USAGE = `Usage: tunnel IFNAME [--foreground]

Creates the WireGuard interface IFNAME and carries its packets. Configure it with wg(8) or
wg-quick(8), which finds it through WG_QUICK_USERSPACE_IMPLEMENTATION. It ends when the
interface is deleted, its socket is removed, or by SIGTERM.

  -f, --foreground   stay in the foreground
  -h, --help         this text

Environment: LOG_LEVEL=silent|error|verbose (default error; verbose prints events)
             SEKISHO_TUNNEL_CRYPTO=avx2 does without AVX-512; =libcrypto without Intel's
             multi-buffer library; =portable without OpenSSL's libcrypto too: a tenth as fast
`;

/** Set for the process that goes to the background: it says "ready" on its standard output. */
const BACKGROUND = "SEKISHO_TUNNEL_BACKGROUND";
const READY = "ready";

/** Runs the role; resolves to the exit code. */
export async function tunnelRole(args: string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(USAGE);
    return 0;
  }
  const names = args.filter((arg) => !arg.startsWith("-"));
  const options = args.filter((arg) => arg.startsWith("-"));
  const unknown = options.find((option) => option !== "--foreground" && option !== "-f");
  const [ifname] = names;
  if (ifname === undefined || names.length > 1 || unknown !== undefined) {
    const fault = unknown === undefined
      ? `${names.length} names given where one interface is meant`
      : `there is no option ${unknown}`;
    console.error(`Cannot start a tunnel: ${fault}; see "tunnel --help"`);
    return 2;
  }
  if (!/^[^\s/]{1,15}$/.test(ifname)) {
    console.error(`Cannot open interface ${ifname}: names have 1 to 15 bytes, no "/" or space`);
    return 2;
  }
  try {
    return options.length > 0 ? await stay(ifname) : await goToBackground(ifname);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

async function stay(ifname: string): Promise<number> {
  const level = Deno.env.get("LOG_LEVEL") ?? "error";
  const verbose = level === "verbose" || level === "debug";
  if (await isAnswered(socketPath(ifname))) {
    throw new Error(
      `Cannot open interface ${ifname}: another process serves ${socketPath(ifname)}; end it first`,
    );
  }
  const tunnel = await startTunnel({
    ifname,
    onEvent: (event) => {
      if (verbose) console.error(eventText(ifname, event));
    },
  });
  let server: UapiServer;
  try {
    server = await UapiServer.open(tunnel);
  } catch (error) {
    await tunnel.close();
    throw error;
  }
  const watcher = watchSocket(server.path, tunnel);
  const end = () => void tunnel.close();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, end);
  }
  if (Deno.env.get(BACKGROUND) !== undefined) console.log(READY);
  const reason = await tunnel.closed;
  watcher.close();
  server.close();
  return exitCode(reason, level !== "silent");
}

/** Starts itself again without a terminal, and ends once that one answers at its socket. */
async function goToBackground(ifname: string): Promise<number> {
  const [program, ...words] = selfCommand("tunnel", [ifname, "--foreground"]);
  const speaks = (Deno.env.get("LOG_LEVEL") ?? "silent") !== "silent";
  const child = new Deno.Command(program, {
    args: words,
    env: { [BACKGROUND]: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: speaks ? "inherit" : "piped",
    detached: true,
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    said += value;
    if (said.includes(READY)) {
      child.unref();
      return 0;
    }
  }
  if (!speaks) {
    const why = (await new Response(child.stderr).text()).trim();
    if (why !== "") console.error(why);
  }
  const { code } = await child.status;
  return code === 0 ? 1 : code;
}

/** Ends the tunnel when its socket is removed: that is how some scripts take an interface down. */
function watchSocket(path: string, tunnel: Tunnel): Deno.FsWatcher {
  const watcher = Deno.watchFs(dirname(path), { recursive: false });
  void (async () => {
    for await (const event of watcher) {
      const ours = event.paths.some((changed) => basename(changed) === basename(path));
      if (ours && event.kind === "remove") await tunnel.close();
    }
  })().catch(() => {
    // Without this watch the interface itself still says when it is over.
  });
  // Of a socket that was removed before it was watched, nobody tells any more.
  if (!existsSync(path)) void tunnel.close();
  return watcher;
}

function exitCode(reason: CloseReason, speaks: boolean): number {
  if (reason.kind !== "failed") return 0;
  if (speaks) console.error(reason.message);
  return 1;
}

function eventText(ifname: string, event: TunnelEvent): string {
  return event.kind === "notice"
    ? `${ifname}: ${event.message}`
    : `${ifname}: ${event.kind} ${event.peer.slice(0, 4)}…`;
}
