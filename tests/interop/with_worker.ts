/** `tunnel` as the program runs it, but with another worker: `FILE IFNAME…`, the file beside this one. */
import { tunnelRole } from "../../tunnel/role.ts";

const [file = "", ...args] = Deno.args;
const OrdinaryWorker = globalThis.Worker;
const program = import.meta.resolve(`./${file}`);
globalThis.Worker = class extends OrdinaryWorker {
  constructor(_program: string | URL, options?: WorkerOptions) {
    super(program, options);
  }
};

Deno.exit(await tunnelRole(args));
