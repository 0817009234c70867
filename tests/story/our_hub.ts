/** Sekisho's own hub in front of the office. */
import { fileURLToPath } from "node:url";
import { type Running, sleep } from "../lab/machine.ts";
import type { Hub, HubClient } from "./hub.ts";
import type { WireGuardKeys } from "./keys.ts";
import type { StoryNetwork } from "./network.ts";
import { HUB, OFFICE } from "./plan.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const START_LIMIT_MS = 30_000;

export async function startOurHub(
  network: StoryNetwork,
  options: { keys: WireGuardKeys; clients: readonly HubClient[] },
): Promise<Hub> {
  const { hub, lab } = network;
  const dir = `${lab.dir}/hub`;
  await Deno.mkdir(dir, { mode: 0o700 });
  const secret = (name: string, text: string) =>
    Deno.writeTextFile(`${dir}/${name}`, `${text}\n`, { mode: 0o600 });
  await secret("hub.key", options.keys.private);
  for (const [i, { presharedKey }] of options.clients.entries()) {
    if (presharedKey !== undefined) await secret(`client-${i}.psk`, presharedKey);
  }
  const config = `${dir}/hub.toml`;
  await Deno.writeTextFile(config, configuration(dir, options.clients));
  const command = [
    Deno.execPath(),
    "run",
    "-A",
    "--cached-only",
    "--no-prompt",
    "--no-check",
    MAIN,
    "hub",
  ];
  const status = async (): Promise<HubStatus | undefined> => {
    const { code, stdout } = await hub.run([...command, "status", "--config", config]);
    return code === 0 ? JSON.parse(stdout) : undefined;
  };
  const launch = async (): Promise<Running> => {
    const running = await hub.spawn([...command, "--config", config], {
      stdout: "null",
      stderr: "inherit",
    });
    let over = false;
    void running.status.then(() => over = true);
    for (let waited = 0; await status() === undefined; waited += 200) {
      if (over || waited > START_LIMIT_MS) {
        throw new Error("Cannot start the hub: it does not answer");
      }
      await sleep(100);
    }
    return running;
  };
  let running = await launch();
  return {
    kind: "ours",
    publicKey: options.keys.public,
    endpointOf: async (key) =>
      (await status())?.clients.find((client) => client.publicKey === key)?.endpoint,
    malformed: async () => (await status())?.drops.malformed,
    restart: async (change) => {
      await running.stop();
      await Deno.writeTextFile(config, change(await Deno.readTextFile(config)));
      running = await launch();
    },
    stop: () => running.stop(),
  };
}

/** What is used of `hub status`. */
interface HubStatus {
  readonly clients: readonly { readonly publicKey: string; readonly endpoint?: string }[];
  readonly drops: { readonly malformed: number };
}

function configuration(dir: string, clients: readonly HubClient[]): string {
  const list = (items: readonly string[]) => JSON.stringify(items);
  const entries = clients.map((client, i) => `
[[client]]
name = "card ${i + 1}"
public_key = ${JSON.stringify(client.publicKey)}
${client.presharedKey === undefined ? "" : `preshared_key_file = "${dir}/client-${i}.psk"`}
addresses = ${list(client.addresses)}
networks = ${list(OFFICE.networks)}
inbound = ${list(client.inbound ?? [])}
`);
  return `private_key_file = "${dir}/hub.key"
listen_port = ${HUB.port}
addresses = ${list([`${HUB.tunnel.address}/24`, `${HUB.tunnel.address6}/64`])}
run = "/run/sekisho-hub"
${entries.join("")}`;
}
