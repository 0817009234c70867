/**
 * The computer's network while a stick's tunnel is up: addresses, routes and names, all bound to the
 * tunnel's interface, so that the kernel takes them back when it goes, however it goes.
 */
import { exec, ExecError, execOk } from "../../os/exec.ts";
import type { Profile } from "../../token/profile/profile.ts";

/** Halves of everything: more specific than a default route, which stays as it is. */
const EVERYTHING = ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"];

/** Where the server is reached. */
export interface Ways {
  /** The tunnel's own packets are bound to it, so that no route of ours leads them into the tunnel. */
  readonly device: string;
  /** At least one. */
  readonly endpoints: readonly string[];
}

/**
 * Those of the server's addresses to which this computer has a way now: a server of two families is
 * reached from a network of one. All by the interface of the first.
 * @param endpoints "192.0.2.1:51820" or "[2001:db8::1]:51820".
 */
export async function waysTo(endpoints: readonly string[]): Promise<Ways> {
  const found: { endpoint: string; device: string }[] = [];
  for (const endpoint of endpoints) {
    const device = await deviceTo(hostOf(endpoint));
    if (device !== undefined) found.push({ endpoint, device });
  }
  const [first] = found;
  if (first !== undefined) {
    const { device } = first;
    const reached = found.filter((one) => one.device === device);
    return { device, endpoints: reached.map(({ endpoint }) => endpoint) };
  }
  const hosts = endpoints.map(hostOf).join(", ");
  throw new Error(`Cannot find a way to ${hosts}: this computer has none; check its network`);
}

async function deviceTo(host: string): Promise<string | undefined> {
  try {
    const words = await execOk(["ip", "-o", "route", "get", host]);
    return /\bdev (\S+)/.exec(words)?.[1];
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    if (error.reason === "missing") throw missingIp();
    return undefined; // it says so by its exit code
  }
}

function hostOf(endpoint: string): string {
  return endpoint.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}

/** Gives the interface what the profile says. Resolves to what could not be had, for people. */
export async function connectComputer(profile: Profile, ifname: string): Promise<string[]> {
  const { tunnel, destinations, otherTraffic } = profile;
  const notes: string[] = [];
  for (const address of tunnel.addresses) {
    await run(["ip", "address", "add", address, "dev", ifname], "set the tunnel's address");
  }
  await run(["ip", "link", "set", ifname, "up"], "start the tunnel's interface");
  const wanted = [
    ...destinations.networks,
    ...tunnel.dns,
    // What the profile doesn't name ends in the tunnel, which carries only what it names.
    ...(otherTraffic === "drop" ? EVERYTHING : []),
  ];
  for (const network of new Set(wanted)) {
    const { code, stderr } = await exec(["ip", "route", "replace", network, "dev", ifname]);
    if (code === 0) continue;
    // Without IPv6 there is nothing to lead anywhere.
    if (network.includes(":") && /not supported|Permission denied|disabled/i.test(stderr)) continue;
    throw new Error(`Cannot lead ${network} into the tunnel: ${stderr.trim()}`);
  }
  if (tunnel.dns.length > 0) notes.push(...await nameServers(profile, ifname));
  return notes;
}

/** systemd-resolved keeps them with the interface and in memory; a file would stay behind. */
async function nameServers(profile: Profile, ifname: string): Promise<string[]> {
  const { tunnel, destinations, otherTraffic } = profile;
  const domains = otherTraffic === "drop" ? ["~."] : destinations.domains
    .map((domain) => `~${domain.replace(/^\*\./, "")}`);
  try {
    await execOk(["resolvectl", "dns", ifname, ...tunnel.dns]);
    if (domains.length > 0) await execOk(["resolvectl", "domain", ifname, ...domains]);
    return [];
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    return [
      `names behind the tunnel are not resolved: this computer has no systemd-resolved; ` +
      `their name server is ${tunnel.dns.join(", ")}`,
    ];
  }
}

async function run(argv: readonly string[], doing: string): Promise<string> {
  try {
    return await execOk(argv);
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    if (error.reason === "missing") throw missingIp();
    throw new Error(`Cannot ${doing}: ${error.message}`);
  }
}

function missingIp(): Error {
  return new Error("Cannot connect: this computer has no ip program; install iproute2");
}
