/** Starts and closes tunnels, run inside a machine, and prints what is left of them. Arguments: how many. */
import { SecretMemory } from "../../os/secret_memory.ts";
import { publicKeyFromBytes, TunnelConfigError } from "../../tunnel/api.ts";
import { startTunnel } from "../../tunnel/tunnel.ts";

const secret = SecretMemory.allocate(32);
crypto.getRandomValues(secret.bytes);
const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;
const locked = () => Number(/VmLck:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))?.[1]);

const threads = () => [...Deno.readDirSync("/proc/self/task")].length;
const mappings = () => Deno.readTextFileSync("/proc/self/maps").split("\n").length;
const held = () => ({
  descriptors: descriptors(),
  threads: threads(),
  mappings: mappings(),
  locked: locked(),
});

/** A worker's thread ends a little later than its tunnel: waits until nothing changes any more. */
async function settled(): Promise<ReturnType<typeof held>> {
  for (let left = descriptors(), same = 0; same < 10;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const now = descriptors();
    same = now === left ? same + 1 : 0;
    left = now;
  }
  return held();
}

async function once(): Promise<number> {
  const tunnel = await startTunnel({
    ifname: "wg0",
    identity: { kind: "local", privateKey: { address: secret.address, length: 32 } },
    peers: [{
      publicKey: publicKeyFromBytes(crypto.getRandomValues(new Uint8Array(32))),
      allowedIps: ["10.0.0.0/8"],
      endpoint: "127.0.0.1:9",
      persistentKeepalive: 1,
    }],
  });
  await tunnel.get();
  const before = performance.now();
  await tunnel.close();
  return performance.now() - before;
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
const codes = await refused();
const before = await settled();
const times: number[] = [];
for (let round = 0; round < Number(Deno.args[0]); round++) times.push(await once());
await refused();
const after = await settled();
times.sort((a, b) => a - b);
const median = times[times.length >> 1];
console.log(JSON.stringify({ before, after, codes, slowest: times.at(-1), median }));
Deno.exit(0);
