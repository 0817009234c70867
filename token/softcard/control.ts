import type { FaultPlan } from "./faults.ts";
import { parseFault } from "./faults.ts";
import { freeSpace } from "./piv/objects.ts";
import type { CardState } from "./state.ts";
import type { VpcdReader } from "./vpcd_reader.ts";

/** Longest line that the control socket reads. */
const LONGEST_LINE = 256;

/** What the control socket steers. */
export interface ControlTarget {
  readonly reader: VpcdReader;
  readonly faults: FaultPlan;
  state(): CardState;
}

/**
 * The control socket: one-line commands, one-line answers that begin with "ok" or "error". It
 * stands for the hand that holds the card, and for what tests do to a card:
 * `insert`, `remove`, `status`, `fault garbage [HEX]|silent|pull-at N|none`.
 */
export function answerControl(line: string, target: ControlTarget): string {
  const [verb, ...rest] = line.trim().split(/\s+/);
  const { reader, faults } = target;
  if (verb === "fault") {
    const fault = parseFault(rest);
    if (fault === undefined) return "error: fault garbage [HEX]|silent|pull-at N|none";
    faults.set(fault === "none" ? undefined : fault);
    return "ok";
  }
  if (rest.length > 0) return "error: insert|remove|status|fault ...";
  switch (verb) {
    case "insert":
      reader.insert();
      return "ok";
    case "remove":
      reader.remove();
      return "ok";
    case "status":
      return `ok ${JSON.stringify(status(target))}`;
    default:
      return "error: insert|remove|status|fault ...";
  }
}

/** Serves the control socket until it is closed. Its rights follow the process's mask. */
export function serveControl(path: string, target: ControlTarget): Disposable {
  removeStale(path);
  const listener = Deno.listen({ transport: "unix", path });
  void acceptAll(listener, target);
  return {
    [Symbol.dispose]() {
      listener.close();
      removeStale(path);
    },
  };
}

function status({ reader, faults, state }: ControlTarget): Record<string, unknown> {
  const { serial, piv } = state();
  return {
    serial,
    presence: reader.presence,
    fault: faults.waiting?.kind ?? "none",
    pinTries: piv.pin.triesLeft,
    pukTries: piv.puk.triesLeft,
    freeSpace: freeSpace(piv),
  };
}

async function acceptAll(listener: Deno.UnixListener, target: ControlTarget): Promise<void> {
  try {
    for await (const connection of listener) void serveOne(connection, target);
  } catch {
    // Closed at the end of the role.
  }
}

async function serveOne(connection: Deno.UnixConn, target: ControlTarget): Promise<void> {
  using open = connection;
  const buffer = new Uint8Array(LONGEST_LINE);
  let held = "";
  try {
    for (;;) {
      const count = await open.read(buffer);
      if (count === null) return;
      held += new TextDecoder().decode(buffer.subarray(0, count));
      for (let end = held.indexOf("\n"); end !== -1; end = held.indexOf("\n")) {
        const answer = answerControl(held.slice(0, end), target);
        held = held.slice(end + 1);
        await open.write(new TextEncoder().encode(`${answer}\n`));
      }
      if (held.length > LONGEST_LINE) return;
    }
  } catch {
    // The other side hung up.
  }
}

/** A socket that a crashed run left behind is in the way of the next one. */
function removeStale(path: string): void {
  try {
    if (Deno.lstatSync(path).isSocket) Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
