/** Two machines on a wire with a tunnel between them, both ends of the same make. */
import { fileURLToPath } from "node:url";
import { selfCommand } from "../../os/self_command.ts";
import { type KeyPair, newKeys, twoMachines, until } from "../../tests/interop/wireguard.ts";
import type { Lab } from "../../tests/lab/lab.ts";
import type { Machine, Running } from "../../tests/lab/machine.ts";
import { untilConfigurable } from "../../tests/lab/userspace_device.ts";

export type Make = "ours" | "peer";

export const PORT = 51820;
export const INSIDE = { a: "10.7.0.1", b: "10.7.0.2" } as const;
export const INSIDE6 = { a: "fd07::1", b: "fd07::2" } as const;
const MTU = 1420;
const TRANSFER = fileURLToPath(import.meta.resolve("../../tests/interop/transfer.ts"));
const TRANSFER_PORT = 8080;
const CHECKED_BYTES = 8 << 20;

export interface EndOptions {
  /** Words that start the tunnel, the interface's name left out. */
  readonly command?: readonly string[];
  readonly stdout?: "null" | "piped";
}

/** The interface wg0 in a machine. */
export class End {
  readonly machine: Machine;
  readonly keys: KeyPair;
  readonly process: Running;

  private constructor(parts: { machine: Machine; keys: KeyPair; process: Running }) {
    this.machine = parts.machine;
    this.keys = parts.keys;
    this.process = parts.process;
  }

  static async start(machine: Machine, make: Make, options: EndOptions = {}): Promise<End> {
    const command = options.command ?? commandOf(make);
    const process = await machine.spawn([...command, "wg0"], {
      env: { WG_PROCESS_FOREGROUND: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdout: options.stdout ?? "null",
      // The stock one greets us with a banner.
      stderr: make === "ours" ? "inherit" : "null",
    });
    await untilConfigurable({ machine, ifname: "wg0", process });
    const keys = await newKeys(machine);
    await machine.run(
      ["bash", "-euc", `wg set wg0 listen-port ${PORT} private-key <(cat)`],
      { input: keys.privateKey },
    );
    await machine.sh(`ip link set wg0 mtu ${MTU} up`);
    return new End({ machine, keys, process });
  }
}

/** How a tunnel of this make is started in the foreground; ours as it starts itself behind it. */
export function commandOf(make: Make): readonly string[] {
  return make === "ours" ? selfCommand("tunnel", ["--foreground"]) : ["wireguard-go", "-f"];
}

export interface Wire {
  readonly make: Make;
  readonly a: End;
  readonly b: End;
  /** Moves a file each way and compares what came; throws if it isn't the same. */
  check(): Promise<void>;
}

/** Brings both ends up, knowing each other, with addresses inside; resolves after the first ping. */
export async function openWire(
  lab: Lab,
  make: Make,
  options: EndOptions & { checked?: boolean } = {},
): Promise<Wire> {
  const machines = await twoMachines(lab);
  const a = await End.start(machines.a, make, options);
  const b = await End.start(machines.b, make, options);
  await address(a, { own: "a", other: "b" });
  await address(b, { own: "b", other: "a" });
  const allowed = (end: "a" | "b") => `allowed-ips ${INSIDE[end]}/32,${INSIDE6[end]}/128`;
  await machines.a.sh(
    `wg set wg0 peer ${b.keys.publicKey} endpoint 192.0.2.2:${PORT} ${allowed("b")}`,
  );
  await machines.b.sh(
    `wg set wg0 peer ${a.keys.publicKey} endpoint 192.0.2.1:${PORT} ${allowed("a")}`,
  );
  await until(`the first packet through ${make}`, async () => {
    return (await machines.a.run(["ping", "-c", "1", "-W", "1", INSIDE.b])).code === 0;
  });
  const check = options.checked === false
    ? () => Promise.resolve()
    : await checker(lab, { a: machines.a, b: machines.b });
  return { make, a, b, check };
}

async function address(end: End, { own, other }: { own: "a" | "b"; other: "a" | "b" }) {
  await end.machine.sh(`
    ip addr add ${INSIDE[own]}/32 dev wg0
    ip addr add ${INSIDE6[own]}/128 dev wg0 nodad
    ip route add ${INSIDE[other]} dev wg0
    ip route add ${INSIDE6[other]} dev wg0`);
}

async function checker(
  lab: Lab,
  machines: { a: Machine; b: Machine },
): Promise<() => Promise<void>> {
  const file = await Deno.makeTempFile({ dir: lab.dir });
  const bytes = new Uint8Array(CHECKED_BYTES);
  for (let at = 0; at < bytes.length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  await Deno.writeFile(file, bytes);
  const expected = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  const transfer = [
    Deno.execPath(),
    "run",
    "-A",
    "--cached-only",
    "--no-prompt",
    "--no-check",
    TRANSFER,
  ];
  for (const end of ["a", "b"] as const) {
    const machine = machines[end];
    await machine.spawn([...transfer, "serve", INSIDE[end], `${TRANSFER_PORT}`, file]);
    await until("the file server", async () => {
      return (await machine.run(["ss", "-Hltn", `sport = :${TRANSFER_PORT}`])).stdout !== "";
    });
  }
  return async () => {
    for (const [to, from] of [["a", "b"], ["b", "a"]] as const) {
      const url = `http://${INSIDE[from]}:${TRANSFER_PORT}/`;
      const { stdout } = await machines[to].run([...transfer, "fetch", url]);
      if (stdout.trim() !== expected) {
        throw new Error(`Cannot trust this run: the file came to ${to} as ${stdout.trim()}`);
      }
    }
  };
}
