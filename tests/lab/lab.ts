/** A laboratory of machines and wires on one host; nothing of it outlives the process. */
import { Machine } from "./machine.ts";
import { ownedFolder } from "./stale.ts";

export class Lab implements AsyncDisposable {
  /** A folder of this run's own for states, configurations and captures; removed at the end. */
  readonly dir: string;
  readonly #machines: Machine[] = [];

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async open(): Promise<Lab> {
    return new Lab(await ownedFolder());
  }

  async machine(name: string): Promise<Machine> {
    const machine = await Machine.start(name);
    this.#machines.push(machine);
    return machine;
  }

  /** A wire between two machines: both ends up, without addresses. */
  async link(a: Machine, nameA: string, b: Machine, nameB: string): Promise<void> {
    // Only the network namespace is entered: the host's process ids are what names b's namespace.
    const { success, stderr } = await new Deno.Command("nsenter", {
      args: [
        ...["-t", String(a.pid), "-n", "ip", "link", "add", nameA, "type", "veth"],
        ...["peer", "name", nameB, "netns", String(b.pid)],
      ],
      stderr: "piped",
    }).output();
    if (!success) {
      throw new Error(`Cannot wire ${a.name} to ${b.name}: ${new TextDecoder().decode(stderr)}`);
    }
    await a.sh(`ip link set ${nameA} up`);
    await b.sh(`ip link set ${nameB} up`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of this.#machines) await machine[Symbol.asyncDispose]();
    await Deno.remove(this.dir, { recursive: true });
  }
}
