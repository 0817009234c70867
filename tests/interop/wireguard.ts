/** WireGuard interfaces in the lab, ours and the stock one, both driven by the stock `wg`. */
import { fileURLToPath } from "node:url";
import { fetchedPeer } from "../../bench/lib/peer.ts";
import type { Lab } from "../lab/lab.ts";
import { type Machine, type Running, sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { untilConfigurable } from "../lab/userspace_device.ts";
import { noKernelWireguard } from "./kernel/probe.ts";

/**
 * `wireguard-go` is the machine's own, of 2022 on Debian 12; `wireguard-go-newest` the one that benches
 * fetch, which has the offloads; `kernel` is this machine's. `ours-portable` does without libcrypto; `ours-collecting` runs under a garbage collection each
 * time that the worker waits, and some while it receives; the kernel of `ours-refusing` refuses to
 * send, in the ways that kernels do.
 */
export type Implementation =
  | "ours"
  | "ours-portable"
  | "ours-collecting"
  | "ours-refusing"
  | "wireguard-go"
  | "wireguard-go-newest"
  | "kernel";

export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

const newest = await fetchedPeer();

/** A test between these ends; skipped with the reason in its name where one of them isn't to be had. */
export function endsTest(
  ends: readonly Implementation[],
  name: string,
  run: () => Promise<void>,
): void {
  const why = ends.map(whyMissing).find((reason) => reason !== undefined);
  if (why === undefined) labTest(name, run);
  else Deno.test.ignore(`${name} (skipped: ${why})`, () => {});
}

function whyMissing(end: Implementation): string | undefined {
  if (end === "kernel") return noKernelWireguard;
  if (end !== "wireguard-go-newest" || newest !== undefined) return undefined;
  return "not fetched yet; any bench fetches it";
}

const MAIN = fileURLToPath(import.meta.resolve("../../main.ts"));
export const OURS = [
  Deno.execPath(),
  "run",
  "-A",
  "--cached-only",
  "--no-prompt",
  "--no-check",
  MAIN,
  "tunnel",
];

const WITH_WORKER = [
  ...[
    Deno.execPath(),
    "run",
    "-A",
    "--cached-only",
    "--no-prompt",
    "--no-check",
    "--v8-flags=--expose-gc",
  ],
  fileURLToPath(import.meta.resolve("./with_worker.ts")),
];

const TRANSFER = [
  ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-check"],
  fileURLToPath(import.meta.resolve("./transfer.ts")),
];

/** FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING (linux/net/tcp_states.h). */
const CLOSING: ReadonlySet<string> = new Set(["04", "05", "08", "09", "0B"]);

/** One interface named wg0 in a machine. */
export class WireguardEnd {
  readonly machine: Machine;
  readonly implementation: Implementation;
  readonly keys: KeyPair;
  readonly process: Running;

  private constructor(
    parts: { machine: Machine; implementation: Implementation; keys: KeyPair; process: Running },
  ) {
    this.machine = parts.machine;
    this.implementation = parts.implementation;
    this.keys = parts.keys;
    this.process = parts.process;
  }

  /** Starts the interface with a key and a port, without peers. */
  static async start(
    machine: Machine,
    options: { implementation: Implementation; port?: number; mtu?: number },
  ): Promise<WireguardEnd> {
    const { implementation, port = 51820, mtu = 1420 } = options;
    const keys = await newKeys(machine);
    const process = await machine.spawn(argvOf(implementation), {
      stderr: errorsOf(implementation),
      env: {
        ...(implementation === "ours-portable" ? { SEKISHO_TUNNEL_CRYPTO: "portable" } : {}),
        ...(implementation === "ours-refusing" ? { LOG_LEVEL: "verbose" } : {}),
      },
    });
    if (implementation === "kernel") {
      await until("wg0 of the kernel", async () => {
        return (await machine.run(["wg", "show", "wg0"])).code === 0;
      });
    } else {
      await untilConfigurable({ machine, ifname: "wg0", process });
    }
    await machine.run(
      ["bash", "-c", `wg set wg0 listen-port ${port} private-key <(cat)`],
      { input: keys.privateKey },
    );
    await machine.sh(`ip link set wg0 mtu ${mtu} up`);
    return new WireguardEnd({ machine, implementation, keys, process });
  }

  async address(...addresses: string[]): Promise<void> {
    for (const address of addresses) {
      await this.machine.sh(
        `ip addr add ${address} dev wg0 ${address.includes(":") ? "nodad" : ""}`,
      );
    }
  }

  /** `wg set wg0 peer KEY …`. */
  async peer(other: KeyPair, settings: string): Promise<void> {
    await this.machine.sh(`wg set wg0 peer ${other.publicKey} ${settings}`);
  }

  /** One column of `wg show wg0 …` for the only peer. */
  async show(what: "transfer" | "latest-handshakes" | "endpoints"): Promise<string[]> {
    const line = (await this.machine.sh(`wg show wg0 ${what}`)).trim();
    return line.split(/\s+/).slice(1);
  }

  /**
   * Whether all of `count` pings are answered, one after the other. Each is a ping of its own: of
   * several, ping(8) waits for the last only twice as long as another took.
   */
  async ping(address: string, options: { count?: number; size?: number } = {}): Promise<boolean> {
    const { count = 1, size = 56 } = options;
    const each = `ping -c 1 -W 20 -s ${size} ${address} || exit 1`;
    const { code } = await this.machine.run([
      "bash",
      "-c",
      `for n in {1..${count}}; do ${each}; done`,
    ]);
    return code === 0;
  }
}

export const INSIDE_A = ["10.7.0.1/24", "fd07::1/64"];
export const INSIDE_B = ["10.7.0.2/24", "fd07::2/64"];

/** Both ends up and acquainted; `a` knows where `b` is. */
export async function pair(
  lab: Lab,
  options: { a: Implementation; b: Implementation; outside?: 4 | 6; mtu?: number },
): Promise<{ a: WireguardEnd; b: WireguardEnd }> {
  const machines = await twoMachines(lab);
  const { mtu = 1420, outside = 4 } = options;
  const [a, b] = await Promise.all([
    WireguardEnd.start(machines.a, { implementation: options.a, mtu }),
    WireguardEnd.start(machines.b, { implementation: options.b, mtu }),
  ]);
  await a.address(...INSIDE_A);
  await b.address(...INSIDE_B);
  const endpoint = outside === 4 ? "192.0.2.2:51820" : "[2001:db8::2]:51820";
  await a.peer(b.keys, `endpoint ${endpoint} allowed-ips 10.7.0.2/32,fd07::2/128`);
  await b.peer(a.keys, "allowed-ips 10.7.0.1/32,fd07::1/128");
  return { a, b };
}

/** Two machines on one wire, with IPv4 and IPv6. */
export async function twoMachines(lab: Lab): Promise<{ a: Machine; b: Machine }> {
  const a = await lab.machine("a");
  const b = await lab.machine("b");
  await lab.link(a, "eth0", b, "eth0");
  await a.sh("ip addr add 192.0.2.1/24 dev eth0; ip addr add 2001:db8::1/64 dev eth0 nodad");
  await b.sh("ip addr add 192.0.2.2/24 dev eth0; ip addr add 2001:db8::2/64 dev eth0 nodad");
  return { a, b };
}

/** The stock one greets us with a banner; what the refused one says is a test's to read. */
function errorsOf(implementation: Implementation): "null" | "piped" | "inherit" {
  if (implementation.startsWith("wireguard-go")) return "null";
  return implementation === "ours-refusing" ? "piped" : "inherit";
}

function argvOf(implementation: Implementation): readonly string[] {
  switch (implementation) {
    case "wireguard-go":
      return ["wireguard-go", "-f", "wg0"];
    case "wireguard-go-newest":
      if (newest === undefined) throw new Error("Cannot start it: use `endsTest`");
      return [newest.program, "-f", "wg0"];
    case "kernel":
      // The kernel needs no process: this one stands for it.
      return ["bash", "-c", "ip link add wg0 type wireguard && exec sleep infinity"];
    case "ours-collecting":
      return [...WITH_WORKER, "collecting_worker.ts", "wg0", "--foreground"];
    case "ours-refusing":
      return [...WITH_WORKER, "refusing_worker.ts", "wg0", "--foreground"];
    case "ours":
    case "ours-portable":
      return [...OURS, "wg0", "--foreground"];
  }
}

export async function newKeys(machine: Machine): Promise<KeyPair> {
  const privateKey = (await machine.sh("wg genkey")).trim();
  const { stdout } = await machine.run(["wg", "pubkey"], { input: privateKey });
  return { privateKey, publicKey: stdout.trim() };
}

/**
 * SHA-256 of `file`, served in one machine and fetched by another. When it resolves, nothing of the
 * transfer comes any more: what TCP repeats would begin a handshake in the midst of a test's changes.
 */
export async function fetchedSum(
  parts: { server: Machine; client: Machine; address: string; file: string },
): Promise<string> {
  const { server, client, address, file } = parts;
  const daemon = await server.spawn([...TRANSFER, "serve", address, "8000", file]);
  await until("the server", async () => {
    const probe = `exec 3<>/dev/tcp/${address}/8000`;
    return (await server.run(["bash", "-c", probe])).code === 0;
  });
  const host = address.includes(":") ? `[${address}]` : address;
  const { stdout, stderr } = await client.run([...TRANSFER, "fetch", `http://${host}:8000/`]);
  await daemon.stop();
  await until("the end of the connection", () => {
    return Promise.resolve(![server, client].some(isClosing));
  });
  return stdout.trim() || stderr;
}

/** Whether the kernel still has an end of a connection to tell, or to hear of (proc(5), /proc/net/tcp). */
function isClosing(machine: Machine): boolean {
  return ["tcp", "tcp6"].some((table) => {
    const [, ...lines] = Deno.readTextFileSync(`/proc/${machine.pid}/net/${table}`).split("\n");
    return lines.some((line) => CLOSING.has(line.trim().split(/\s+/)[3] ?? ""));
  });
}

interface Transfers {
  readonly aSent: number;
  readonly aReceived: number;
  readonly bSent: number;
  readonly bReceived: number;
}

/**
 * What both ends count, once nothing is under way any more: the stock ones count what they have sent
 * after the wire has it. If they never come to agree, what they say in the end.
 */
export async function transfersOf(
  { a, b }: { a: WireguardEnd; b: WireguardEnd },
): Promise<Transfers> {
  for (const end = Date.now() + 10_000;;) {
    const [aReceived = NaN, aSent = NaN] = (await a.show("transfer")).map(Number);
    const [bReceived = NaN, bSent = NaN] = (await b.show("transfer")).map(Number);
    const agree = aSent === bReceived && bSent === aReceived;
    if (agree || Date.now() > end) return { aSent, aReceived, bSent, bReceived };
    await sleep(50);
  }
}

/** Processes of our program in a machine, as the host numbers them. */
export function ourProcesses(machine: Machine): number[] {
  return machine.pids().filter((pid) => {
    try {
      return Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes("tunnel");
    } catch {
      return false; // it ended in the same moment
    }
  });
}

/** Waits until somebody has bound this UDP port of IPv4, as the kernel lists it (proc(5), /proc/net/udp). */
export async function untilBound(machine: Machine, port: string): Promise<void> {
  const bound = new RegExp(
    `^ *\\d+: [0-9A-F]+:${Number(port).toString(16).toUpperCase().padStart(4, "0")} `,
    "m",
  );
  await until(`port ${port} in ${machine.name}`, () => {
    return Promise.resolve(bound.test(Deno.readTextFileSync(`/proc/${machine.pid}/net/udp`)));
  });
}

/** Waits until `done`; the limit is against hanging only. */
export async function until(what: string, done: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end;) {
    if (await done()) return;
    await sleep(50);
  }
  throw new Error(`Waited in vain for ${what}`);
}
