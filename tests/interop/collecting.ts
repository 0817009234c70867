/**
 * `tunnel` as the program runs it, but for its worker, which collects garbage all the time. Needs
 * `--v8-flags=--expose-gc`.
 */
import { tunnelRole } from "../../tunnel/role.ts";

const OrdinaryWorker = globalThis.Worker;
const collecting = import.meta.resolve("./collecting_worker.ts");
globalThis.Worker = class extends OrdinaryWorker {
  constructor(_program: string | URL, options?: WorkerOptions) {
    super(collecting, options);
  }
};

Deno.exit(await tunnelRole(Deno.args));
