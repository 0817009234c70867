/** Everything that crosses one interface of a machine, taken by tcpdump with the kernel's times. */
import { TYPE_ANNOUNCEMENT, TYPE_ANSWER } from "../../tunnel/protocol/manual_spec.ts";
import type { Lab } from "./lab.ts";
import type { Machine, Running } from "./machine.ts";
import { sleep } from "./machine.ts";
import { type Packet, parseCapture } from "./packet.ts";

/** Enough of each packet to see WireGuard's header inside UDP inside IPv6. */
const SNAP_BYTES = 160;
const FENCE_PORT = 9;
const FENCE_LIMIT_MS = 10_000;

export class Capture implements AsyncDisposable {
  readonly #machine: Machine;
  readonly #ifname: string;
  readonly #file: string;
  readonly #tcpdump: Running;
  #fences = 0;

  private constructor(
    machine: Machine,
    options: { ifname: string; file: string; tcpdump: Running },
  ) {
    this.#machine = machine;
    this.#ifname = options.ifname;
    this.#file = options.file;
    this.#tcpdump = options.tcpdump;
  }

  /** Resolves when packets are being taken. */
  static async start(lab: Lab, at: { machine: Machine; ifname: string }): Promise<Capture> {
    const { machine, ifname } = at;
    const file = await Deno.makeTempFile({ dir: lab.dir, prefix: `${machine.name}-${ifname}-` });
    const tcpdump = await machine.spawn([
      ...["tcpdump", "-i", ifname, "-n", "-U", "--immediate-mode", "-Z", "root"],
      ...["-s", String(SNAP_BYTES), "-B", "65536", "--time-stamp-precision=nano", "-w", file],
    ], { stderr: "piped" });
    await untilListening(tcpdump, ifname);
    return new Capture(machine, { ifname, file, tcpdump });
  }

  /**
   * Every packet that has crossed the interface before this call, oldest first. To be sure of it,
   * a packet of its own is sent after them and awaited; link-local multicast, which nobody answers.
   */
  async packets(since = 0): Promise<Packet[]> {
    const fence = `fence ${++this.#fences} ${crypto.randomUUID()}`;
    await this.#machine.sh(
      `printf %s '${fence}' > '/dev/udp/ff02::1%${this.#ifname}/${FENCE_PORT}'`,
    );
    for (let waited = 0; waited < FENCE_LIMIT_MS; waited += 5) {
      const packets = parseCapture(await Deno.readFile(this.#file));
      const end = packets.findLastIndex((packet) => isFence(packet, fence));
      if (end >= 0) {
        return packets.slice(0, end).filter((packet) => packet.at >= since && !isFence(packet));
      }
      await sleep(5);
    }
    throw new Error(`Cannot read the capture on ${this.#ifname}: the last packet did not arrive`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tcpdump.stop();
    await this.#tcpdump.child.stderr.cancel().catch(() => {});
    await Deno.remove(this.#file).catch(() => {});
  }
}

/** The tunnel's two ends as UDP ports, and who speaks for the box whose uplink is watched. */
export interface Uplink {
  /** MAC address of the watched box's own interface. */
  readonly mac: string;
  /** The hub's addresses and WireGuard port. */
  readonly hub: { readonly addresses: readonly string[]; readonly port: number };
}

export interface UplinkCount {
  /** Sent by the box: WireGuard messages to the hub. */
  readonly tunnel: readonly Packet[];
  /** Sent by the box: ARP, neighbour discovery, MLD. They name nothing beyond the link. */
  readonly neighbour: readonly Packet[];
  /** Sent by the box: everything else. */
  readonly leaked: readonly Packet[];
}

/** Sorts what a box sent on its uplink; what others sent to it is left out. */
export function countUplink(packets: readonly Packet[], uplink: Uplink): UplinkCount {
  const sent = packets.filter((packet) => packet.fromMac === uplink.mac);
  const sorted = Object.groupBy(sent, (packet) => {
    if (packet.kind === "neighbour") return "neighbour";
    return isTunnel(packet, uplink) ? "tunnel" : "leaked";
  });
  return {
    tunnel: sorted.tunnel ?? [],
    neighbour: sorted.neighbour ?? [],
    leaked: sorted.leaked ?? [],
  };
}

/** An interface's MAC address; /sys shows the host's interfaces, also inside a machine. */
export async function macOf(machine: Machine, ifname: string): Promise<string> {
  const text = await machine.sh(`ip -json link show dev ${ifname}`);
  const [link] = JSON.parse(text) as { address: string }[];
  if (link === undefined) throw new Error(`Cannot read the address of ${ifname}: it is not there`);
  return link.address;
}

/** To the hub's port, and a message by its first bytes: WireGuard's, or one of manual keys (reserved zero). */
function isTunnel(packet: Packet, { hub }: Uplink): boolean {
  const [type = 0, a, b, c] = packet.payload;
  return packet.kind === "udp" && packet.destinationPort === hub.port &&
    hub.addresses.includes(packet.destination) &&
    ((type >= 1 && type <= 4) || type === TYPE_ANNOUNCEMENT || type === TYPE_ANSWER) && a === 0 &&
    b === 0 && c === 0;
}

function isFence(packet: Packet, text = "fence "): boolean {
  return packet.kind === "udp" && packet.destinationPort === FENCE_PORT &&
    new TextDecoder().decode(packet.payload).startsWith(text);
}

async function untilListening(tcpdump: Running, ifname: string): Promise<void> {
  const decoder = new TextDecoder();
  let said = "";
  for await (const part of tcpdump.child.stderr.values({ preventCancel: true })) {
    said += decoder.decode(part);
    if (said.includes("listening on")) return;
  }
  throw new Error(`Cannot capture on ${ifname}: ${said.trim()}`);
}
