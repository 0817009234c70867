/** Starts and closes tunnels, run inside a machine, and prints what is left of them. Arguments: how many. */
import { x25519 } from "@noble/curves/ed25519.js";
import { execOk } from "../../os/exec.ts";
import { SecretMemory } from "../../os/secret_memory.ts";
import { publicKeyFromBytes, type Tunnel, TunnelConfigError } from "../../tunnel/api.ts";
import { startTunnel } from "../../tunnel/tunnel.ts";

const secret = SecretMemory.allocate(32);
crypto.getRandomValues(secret.bytes);
const FLOODS = 5;
const FLOOD_BYTES = 5_000_000;
const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;
const locked = () => Number(/VmLck:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))?.[1]);

const threads = () => threadNames().length;
const mappings = () => Deno.readTextFileSync("/proc/self/maps").split("\n").length;
const held = () => ({
  descriptors: descriptors(),
  threads: threads(),
  mappings: mappings(),
  locked: locked(),
});

/** Names of this process's threads; one may end while they are listed. */
function threadNames(): string[] {
  return [...Deno.readDirSync("/proc/self/task")].flatMap(({ name }) => {
    try {
      return [Deno.readTextFileSync(`/proc/self/task/${name}/comm`)];
    } catch {
      return [];
    }
  });
}

/**
 * What is held once no worker's thread is left (each ends a little later than its tunnel) and nothing
 * changes any more. Threads of the runtime's own end after ten seconds with nothing to do: for more than
 * `most` it is waited that they do, and the limit is against hanging only.
 */
async function settled(most = Infinity): Promise<ReturnType<typeof held>> {
  const end = performance.now() + 60_000;
  const isLeft = () => threadNames().some((name) => name.startsWith("worker-"));
  for (let left = descriptors(), same = 0; same < 10 && performance.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const now = descriptors();
    same = now === left && !isLeft() && threads() <= most ? same + 1 : 0;
    left = now;
  }
  return held();
}

const identity = {
  kind: "local",
  privateKey: { address: secret.address, length: 32 },
} as const;

async function once(): Promise<number> {
  const tunnel = await startTunnel({
    ifname: "wg0",
    identity,
    peers: [{
      publicKey: publicKeyFromBytes(crypto.getRandomValues(new Uint8Array(32))),
      allowedIps: ["10.0.0.0/8"],
      endpoint: "127.0.0.1:9",
      persistentKeepalive: 1,
    }],
  });
  await tunnel.get();
  return await closing(tunnel);
}

/** Milliseconds until it has ended. */
async function closing(tunnel: Tunnel): Promise<number> {
  const before = performance.now();
  await tunnel.close();
  return performance.now() - before;
}

/** One tunnel floods another of this process: how long the receiver takes to end, then the sender. */
async function flooded(): Promise<{ receiver: number; sender: number }> {
  const other = SecretMemory.allocate(32);
  crypto.getRandomValues(other.bytes);
  const publicKeyOf = (key: SecretMemory) => publicKeyFromBytes(x25519.getPublicKey(key.bytes));
  const receiver = await startTunnel({
    ifname: "wg1",
    identity: { kind: "local", privateKey: { address: other.address, length: 32 } },
    listenPort: 4001,
    peers: [{ publicKey: publicKeyOf(secret), allowedIps: ["10.7.0.1/32"] }],
  });
  const sender = await startTunnel({
    ifname: "wg0",
    identity,
    peers: [{
      publicKey: publicKeyOf(other),
      allowedIps: ["10.7.0.2/32"],
      endpoint: "127.0.0.1:4001",
    }],
  });
  await execOk(["ip", "link", "set", "wg1", "up"]);
  await execOk(["ip", "link", "set", "wg0", "up"]);
  await execOk(["ip", "addr", "add", "10.7.0.1/32", "dev", "wg0"]);
  await execOk(["ip", "route", "add", "10.7.0.2/32", "dev", "wg0"]);
  const flood = new Deno.Command("bash", {
    args: ["-c", "exec dd if=/dev/zero bs=1200 status=none > /dev/udp/10.7.0.2/9"],
    stderr: "null",
  }).spawn();
  for (let received = 0; received < FLOOD_BYTES;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    received = (await receiver.get()).peers[0]?.rxBytes ?? 0;
  }
  const times = { receiver: await closing(receiver), sender: await closing(sender) };
  await flood.status; // its route is gone
  other.free();
  return times;
}

/** A name that is taken, a port that is taken: nothing stays of the attempt. */
async function refused(): Promise<string[]> {
  const codes: string[] = [];
  const first = await startTunnel({ ifname: "wg0", listenPort: 4000 });
  for (const options of [{ ifname: "wg0" }, { ifname: "wg1", listenPort: 4000 }]) {
    try {
      await startTunnel(options);
      codes.push("started");
    } catch (error) {
      codes.push(error instanceof TunnelConfigError ? error.code : String(error));
    }
  }
  await first.close();
  return codes;
}

await once();
await flooded();
const codes = await refused();
const before = await settled();
const times: number[] = [];
for (let round = 0; round < Number(Deno.args[0]); round++) times.push(await once());
await refused();
const floods: { receiver: number; sender: number }[] = [];
for (let round = 0; round < FLOODS; round++) floods.push(await flooded());
const after = await settled(before.threads);
const stops = {
  idle: spread(times),
  receiving: spread(floods.map(({ receiver }) => receiver)),
  sending: spread(floods.map(({ sender }) => sender)),
};
console.log(JSON.stringify({ before, after, codes, stops }));
Deno.exit(0);

function spread(milliseconds: number[]) {
  milliseconds.sort((a, b) => a - b);
  const at = (index: number) => Math.round(milliseconds.at(index) ?? NaN);
  return { fastest: at(0), median: at(milliseconds.length >> 1), slowest: at(-1) };
}
