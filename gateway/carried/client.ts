/**
 * The client that a stick carries: opens the profile, carries the tunnel on this computer, and dies
 * with the stick, keys wiped first. Its launcher verified it and started it from memory.
 */
import { parseArgs } from "node:util";
import { drainPipe } from "../../os/memfd.ts";
import { exitNow, hardenProcess } from "../../os/process.ts";
import { watchSleep } from "../../os/sleep_watch.ts";
import { SecretMemory } from "../../os/secret_memory.ts";
import { parseIssuerKey } from "../../token/profile/jws.ts";
import type { Profile } from "../../token/profile/profile.ts";
import type { IssuerKey, Opened } from "../../token/profile/types.ts";
import { explainStickFault } from "../../token/stick/fault.ts";
import { openMedium } from "../../token/stick/medium.ts";
import { checkStickProfile, findStick, openStickProfile } from "../../token/stick/open.ts";
import { insertionOf, watchInsertion } from "../../token/stick/presence.ts";
import { parsePublicKey, type Tunnel, type TunnelEvent } from "../../tunnel/api.ts";
import { startTunnel } from "../../tunnel/tunnel.ts";
import { resolveEndpoints } from "../engine/endpoints.ts";
import { sharedKey } from "../engine/shared_key.ts";
import { connectComputer, waysTo } from "./computer.ts";
import { Screen } from "./screen.ts";

const IFNAME = "sekisho0";
const DEFAULT_MTU = 1420;
const FILE_KEY_BYTES = 16;
const SECRET_BYTES = 4096;
const SESSION_KEY_BYTES = 4096;
const STATUS_MS = 1_000;

/** Runs until the stick, a signal or a fault ends it; resolves to an exit code when it can't start. */
export async function runClient(args: string[]): Promise<number> {
  const client = new Client();
  try {
    return await client.run(readArguments(args));
  } catch (error) {
    client.wipe();
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

interface Arguments {
  readonly device: string;
  readonly key: number;
  readonly trust: readonly IssuerKey[];
}

function readArguments(args: string[]): Arguments {
  const { values } = parseArgs({
    args,
    options: {
      device: { type: "string", default: "" },
      key: { type: "string", default: "" },
      trust: { type: "string", multiple: true, default: [] },
    },
  });
  if (!/^\d+$/.test(values.key)) {
    throw new Error("Cannot start: the stick's launcher starts this program; use start.sh");
  }
  return {
    device: values.device,
    key: Number(values.key),
    trust: values.trust.map(parseIssuerKey).filter((key) => key !== undefined),
  };
}

type Unlocked = Extract<Opened, { result: "ok" }>;

class Client {
  readonly #secrets = SecretMemory.allocate(SECRET_BYTES);
  readonly #sessionKeys = SecretMemory.allocate(SESSION_KEY_BYTES);
  readonly #screen = new Screen();

  wipe(): void {
    this.#secrets.wipe();
    this.#sessionKeys.wipe();
  }

  async run(given: Arguments): Promise<number> {
    const gaps = hardenProcess();
    const fileKey = this.#secrets.take(FILE_KEY_BYTES).bytes;
    const drained = drainPipe(given.key, FILE_KEY_BYTES);
    fileKey.set(drained);
    drained.fill(0);
    const insertion = insertionOf(given.device);
    if (insertion === undefined) throw new Error("Cannot start: the stick is gone; plug it in");
    watchInsertion(given.device, {
      insertion,
      onGone: () => this.#end("The stick was pulled: disconnected, nothing stays here."),
    });
    watchSleep(() => this.#end("This computer slept: disconnected, nothing stays here."));
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, () => this.#end("Disconnected, nothing stays here."));
    }
    const unlocked = await this.#open(given, fileKey);
    const { profile } = unlocked;
    if (gaps.includes("swap")) {
      this.#screen.note("this computer may write memory to its swap space: swapoff -a prevents it");
    }
    const tunnel = await this.#connect(unlocked);
    for (const note of await connectComputer(profile, IFNAME)) this.#screen.note(note);
    this.#screen.waiting(profile.user.name, profile.serverId);
    void tunnel.closed.then((reason) =>
      this.#end(reason.kind === "failed" ? reason.message : "The interface was removed.", 1)
    );
    for (;;) {
      if (Date.now() >= profile.expiresAt * 1000) this.#end("The stick has expired: disconnected.");
      const { peers: [peer] } = await tunnel.get();
      if (peer !== undefined) this.#screen.status(peer, Date.now());
      await new Promise((resolve) => setTimeout(resolve, STATUS_MS));
    }
  }

  async #open(given: Arguments, fileKey: Uint8Array): Promise<Unlocked> {
    using medium = await openMedium(given.device);
    const found = await findStick(medium, given.trust);
    if ("fault" in found) throw new Error(explainStickFault(found));
    const now = Math.floor(Date.now() / 1000);
    const checked = await checkStickProfile(found, { now, highestGeneration: 0 });
    if (checked.result !== "ok") throw new Error("Cannot use the stick: start it again");
    const opened = await openStickProfile(found, {
      head: checked.head,
      identity: { unwrapFileKey: () => Promise.resolve(fileKey.slice()) },
      secrets: this.#secrets,
    });
    fileKey.fill(0);
    if (opened.result === "ok") return opened;
    throw new Error(
      `Cannot use the stick: its profile is ${opened.fault}; tell your administrator`,
    );
  }

  async #connect(unlocked: Unlocked): Promise<Tunnel> {
    const { profile, privateKey } = unlocked;
    const { server } = profile;
    const ways = await waysTo(await resolveEndpoints(server.endpoints));
    const [endpoint = ""] = ways.endpoints;
    if (privateKey === undefined) throw new Error("Cannot connect: the profile holds no key");
    let next = 0;
    const tunnel = await startTunnel({
      ifname: IFNAME,
      mtu: profile.tunnel.mtu ?? DEFAULT_MTU,
      identity: { kind: "local", privateKey: { address: privateKey.address, length: 32 } },
      peers: [{
        publicKey: parsePublicKey(server.publicKey),
        endpoint,
        allowedIps: allowedIps(profile),
        ...(server.persistentKeepalive === undefined
          ? {}
          : { persistentKeepalive: server.persistentKeepalive }),
        ...sharedKey(unlocked),
      }],
      bindInterface: ways.device,
      keyMemory: { address: this.#sessionKeys.address, length: SESSION_KEY_BYTES },
      announce: true,
      onEvent: (event) => {
        this.#hear(event);
        // A server of several addresses is tried at each in turn.
        if (event.kind !== "handshake-failed" || ways.endpoints.length < 2) return;
        next = (next + 1) % ways.endpoints.length;
        const other = ways.endpoints[next] ?? endpoint;
        void tunnel.set({ peers: [{ publicKey: event.peer, endpoint: other }] });
      },
    });
    return tunnel;
  }

  #hear(event: TunnelEvent): void {
    if (event.kind === "notice") this.#screen.note(event.message);
    if (event.kind === "handshake-failed") this.#screen.note("the server does not answer yet");
  }

  /** Keys first; the interface, its addresses and routes go with the process. */
  #end(why: string, code = 0): never {
    this.wipe();
    this.#screen.close(why);
    exitNow(code);
  }
}

/** Only what the profile names is carried. */
function allowedIps(profile: Profile): string[] {
  return [...new Set([...profile.destinations.networks, ...profile.tunnel.dns])];
}
