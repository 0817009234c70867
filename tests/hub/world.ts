/** A hub between an office and two people who use stock WireGuard, for the hub's tests. */
import { Lab } from "../lab/lab.ts";
import type { Machine, Running } from "../lab/machine.ts";
import { sleep } from "../lab/machine.ts";
import { untilConfigurable } from "../lab/userspace_device.ts";
import { lines } from "../story/lines.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const WAIT_MS = 30_000;

/** Where things are: the office has two networks, on one wire. */
export const OFFICE = { open: "10.20.0.10", open6: "fd20::10", closed: "10.30.0.10" } as const;
export const HUB_INSIDE = { address: "10.77.0.1", address6: "fd77::1" } as const;

/** One of the two who dial in. */
export interface Person {
  readonly machine: Machine;
  readonly name: "alice" | "bob";
  readonly publicKey: string;
  /** In the tunnel. */
  readonly address: string;
  readonly address6: string;
  /** The hub as this person reaches it. */
  readonly endpoint: string;
}

export interface World extends AsyncDisposable {
  readonly lab: Lab;
  readonly hub: Machine;
  readonly office: Machine;
  readonly alice: Person;
  readonly bob: Person;
  readonly hubPublicKey: string;
  /** Where `writeConfig` writes. */
  readonly configPath: string;
}

/** Builds wires and keys; `officeKnowsTunnel` says whether the office has a route back to the clients. */
export async function buildWorld({ officeKnowsTunnel = true } = {}): Promise<World> {
  const lab = await Lab.open();
  try {
    const [hub, office] = [await lab.machine("hub"), await lab.machine("office")];
    await lab.link(hub, "office0", office, "eth0");
    await hub.sh(`ip addr add 10.20.0.1/24 dev office0; ip addr add 10.30.0.1/24 dev office0
      ip addr add fd20::1/64 dev office0`);
    await office.sh(
      `ip addr add ${OFFICE.open}/24 dev eth0; ip addr add ${OFFICE.closed}/24 dev eth0
      ip addr add ${OFFICE.open6}/64 dev eth0`,
    );
    if (officeKnowsTunnel) {
      await office.sh(
        `ip route add 10.77.0.0/24 via 10.20.0.1; ip route add fd77::/64 via fd20::1`,
      );
    }
    const hubPublicKey = await makeKey(lab, "hub");
    await office.sh(`(umask 077; wg genpsk > ${lab.dir}/bob.psk)`);
    const alice = await person(lab, hub, { name: "alice", number: 2 });
    const bob = await person(lab, hub, { name: "bob", number: 3 });
    await dial(lab, alice, hubPublicKey);
    await dial(lab, bob, hubPublicKey, `${lab.dir}/bob.psk`);
    const configPath = `${lab.dir}/hub.toml`;
    const dispose = () => lab[Symbol.asyncDispose]();
    const made = { lab, hub, office, alice, bob, hubPublicKey, configPath };
    return { ...made, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

/** Writes the hub's file: who is a client and what each may reach. */
export async function writeConfig(
  world: World,
  clients: readonly {
    person: Person;
    networks: readonly string[];
    psk?: boolean;
    /** What the office may begin. */
    inbound?: readonly string[];
    /** Where the person is before having spoken. */
    endpoint?: string;
  }[],
  more = "",
): Promise<void> {
  const blocks = clients.map(({ person, networks, psk, inbound, endpoint }) => `
[[client]]
name = "${person.name}"
public_key = "${person.publicKey}"
addresses = ["${person.address}", "${person.address6}"]
networks = ${JSON.stringify(networks)}
${psk ? `preshared_key_file = "${world.lab.dir}/bob.psk"` : ""}
${inbound === undefined ? "" : `inbound = ${JSON.stringify(inbound)}`}
${endpoint === undefined ? "" : `endpoint = "${endpoint}"`}`);
  await Deno.writeTextFile(
    world.configPath,
    `interface = "hub0"
private_key_file = "${world.lab.dir}/hub.key"
listen_port = 51820
addresses = ["${HUB_INSIDE.address}/24", "${HUB_INSIDE.address6}/64"]
${more}
${blocks.join("")}
`,
  );
}

/** A hub process and what it has said. */
export class HubProcess {
  readonly said: string[] = [];
  readonly #running: Running;

  private constructor(running: Running) {
    this.#running = running;
    for (const stream of [running.child.stdout, running.child.stderr]) void this.#read(stream);
  }

  /** Starts one and waits until it is up. */
  static async start(world: World): Promise<HubProcess> {
    const running = await world.hub.spawn(hubCommand("--config", world.configPath), {
      stdout: "piped",
      stderr: "piped",
    });
    const process = new HubProcess(running);
    await process.hears(/^Hub up: /);
    return process;
  }

  /** SIGHUP, then waits for a new line that matches. */
  async reload(expected: RegExp): Promise<string> {
    const from = this.said.length;
    this.#running.signal("SIGHUP");
    return await this.hears(expected, from);
  }

  async stop(): Promise<number> {
    await this.#running.stop(WAIT_MS);
    return (await this.#running.status).code;
  }

  /** Waits until it has ended by itself; its exit code. */
  async ended(): Promise<number> {
    return (await this.#running.status).code;
  }

  /** Ends it without a chance to tidy up. */
  async crash(): Promise<void> {
    this.#running.signal("SIGKILL");
    await this.#running.status;
  }

  async hears(expected: RegExp, from = 0): Promise<string> {
    const found = await eventually(() => this.said.slice(from).find((line) => expected.test(line)));
    if (found === undefined) {
      throw new Error(`The hub never said ${expected}, but: ${this.said.join(" / ")}`);
    }
    return found;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const line of lines(stream)) this.said.push(line);
  }
}

/** The command that runs the hub's role in a machine. */
export function hubCommand(...args: string[]): string[] {
  return [
    Deno.execPath(),
    "run",
    "-A",
    "--cached-only",
    "--no-prompt",
    "--no-check",
    MAIN,
    "hub",
    ...args,
  ];
}

/** Whether `address` answers a ping within 20 s; one is sent each second. */
export async function reaches(machine: Machine, address: string): Promise<boolean> {
  return (await machine.run(["ping", "-c", "1", "-w", "20", address])).code === 0;
}

/** Whether nothing answers three pings, each given a second; `source`: an address of the machine's. */
export async function isCutOff(
  machine: Machine,
  address: string,
  source?: string,
): Promise<boolean> {
  const { stdout } = await machine.run([
    ...["ping", "-c", "3", "-i", "0.2", "-W", "1", address],
    ...(source === undefined ? [] : ["-I", source]),
  ]);
  return /3 packets transmitted, 0 received/.test(stdout);
}

/** Asks again until there is an answer, for at most half a minute. */
export async function eventually<T>(
  ask: () => T | undefined | Promise<T | undefined>,
): Promise<T | undefined> {
  for (let waited = 0; waited < WAIT_MS; waited += 50) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await sleep(50);
  }
  return undefined;
}

async function makeKey(lab: Lab, name: string): Promise<string> {
  const path = `${lab.dir}/${name}.key`;
  const { success, stdout } = await new Deno.Command("sh", {
    args: ["-ec", `umask 077; wg genkey > "$0"; wg pubkey < "$0"`, path],
    stdout: "piped",
  }).output();
  if (!success) throw new Error(`Cannot make the key of ${name}`);
  return new TextDecoder().decode(stdout).trim();
}

async function person(
  lab: Lab,
  hub: Machine,
  { name, number }: { name: Person["name"]; number: number },
): Promise<Person> {
  const machine = await lab.machine(name);
  await lab.link(machine, "eth0", hub, name);
  await machine.sh(`ip addr add 192.0.${number}.2/24 dev eth0`);
  await hub.sh(`ip addr add 192.0.${number}.1/24 dev ${name}`);
  return {
    machine,
    name,
    publicKey: await makeKey(lab, name),
    address: `10.77.0.${number}`,
    address6: `fd77::${number}`,
    endpoint: `192.0.${number}.1:51820`,
  };
}

/** Stock wireguard-go and wg; everything of the private network goes into the tunnel. */
async function dial(lab: Lab, person: Person, hubKey: string, psk?: string): Promise<void> {
  const { machine, name, address, address6, endpoint } = person;
  const process = await machine.spawn(["wireguard-go", "--foreground", "wg0"]);
  await untilConfigurable({ machine, ifname: "wg0", process });
  await machine.sh(`
    wg set wg0 private-key ${lab.dir}/${name}.key peer ${hubKey} endpoint ${endpoint} \
      ${psk === undefined ? "" : `preshared-key ${psk}`} \
      allowed-ips 10.0.0.0/8,fd20::/64,fd77::/64
    ip addr add ${address}/32 dev wg0; ip addr add ${address6}/128 dev wg0
    ip link set wg0 up mtu 1420
    ip route add 10.0.0.0/8 dev wg0; ip route add fd20::/64 dev wg0; ip route add fd77::/64 dev wg0`);
}
