/** A server's endpoints as a profile names them, turned into addresses that packets can go to. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { RESOLVE_MS } from "./limits.ts";

/**
 * Every address of every "host:port", in the profile's order, as "192.0.2.1:51820" or
 * "[2001:db8::1]:51820".
 * @throws {Error} when none of them resolves within the bound.
 */
export async function resolveEndpoints(endpoints: readonly string[]): Promise<string[]> {
  const resolved = await Promise.all(endpoints.map(resolve));
  const found = resolved.flat();
  if (found.length === 0) {
    throw new Error(
      `Cannot find the server: ${endpoints.join(", ")} did not resolve; check the Internet uplink`,
    );
  }
  return found;
}

/** The addresses of such endpoints. */
export function hostsOf(endpoints: readonly string[]): string[] {
  return endpoints.map((endpoint) => endpoint.replace(/:\d+$/, "").replace(/^\[|\]$/g, ""));
}

async function resolve(endpoint: string): Promise<string[]> {
  const colon = endpoint.lastIndexOf(":");
  const port = endpoint.slice(colon + 1);
  const host = endpoint.slice(0, colon).replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0) return [withPort(host, port)];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<[]>((done) => timer = setTimeout(() => done([]), RESOLVE_MS));
  const answers = lookup(host, { all: true, verbatim: true }).catch(() => []);
  const addresses = await Promise.race([answers, late]);
  clearTimeout(timer);
  return addresses.map(({ address }) => withPort(address, port));
}

function withPort(address: string, port: string): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
