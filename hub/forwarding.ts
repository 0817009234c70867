/** Addresses, routes and forwarding of the hub's interface, by ip(8) and /proc/sys. */
import { execOk } from "../os/exec.ts";
import type { HubConfig } from "./hub_config.ts";

/** Gives the interface its addresses, brings it up and lets the kernel forward. */
export async function setUpInterface(config: HubConfig): Promise<void> {
  const { interface: name, addresses, mtu } = config;
  await ip([
    ...addresses.map((address) => `address replace ${address} dev ${name}`),
    `link set ${name} mtu ${mtu} up`,
  ]);
  await changeRoutes(name, { from: [], to: clientAddresses(config) });
  forward("/proc/sys/net/ipv4/ip_forward");
  if (addresses.some((address) => address.includes(":"))) {
    forward("/proc/sys/net/ipv6/conf/all/forwarding");
  }
}

/** Leads the addresses of the clients into the tunnel, and those of clients gone no longer. */
export async function changeRoutes(
  name: string,
  { from, to }: { readonly from: readonly string[]; readonly to: readonly string[] },
): Promise<void> {
  await ip([
    ...from.filter((one) => !to.includes(one)).map((one) => `route del ${one} dev ${name}`),
    ...to.filter((one) => !from.includes(one)).map((one) => `route replace ${one} dev ${name}`),
  ]);
}

export function clientAddresses(config: HubConfig): string[] {
  return config.client.flatMap(({ addresses }) => addresses);
}

async function ip(commands: readonly string[]): Promise<void> {
  if (commands.length > 0) await execOk(["ip", "-batch", "-"], { input: commands.join("\n") });
}

function forward(path: string): void {
  if (Deno.readTextFileSync(path).trim() === "1") return;
  try {
    Deno.writeTextFileSync(path, "1");
  } catch {
    throw new Error(`Cannot forward packets: ${path} can't be written; set it to 1 on the host`);
  }
}
