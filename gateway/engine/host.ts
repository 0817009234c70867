/** The gateway's side of one engine process: starts it, talks to it, sees it end. */
import { selfCommand } from "../../os/self_command.ts";
import { MAX_MESSAGE_BYTES } from "./limits.ts";
import { LineWriter, readLines } from "./lines.ts";
import { type FromEngine, parseFromEngine, type ToEngine } from "./messages.ts";

export interface EngineListener {
  onMessage(message: FromEngine): void;
  /** Called once, after the last message; the process no longer exists. */
  onEnded(reason: string): void;
}

export interface EngineProcess {
  readonly pid: number;
  send(message: ToEngine): void;
  /** SIGKILL: nothing of the process is left when `onEnded` is called. */
  kill(): void;
}

/** Starts an engine for the card in a reader. Its own complaints go to this process's stderr. */
export function startEngineProcess(listener: EngineListener): EngineProcess {
  const [program, ...args] = selfCommand("engine");
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
    env: {
      PCSCLITE_NO_BLOCKING: "1",
      // The runtime would ask the Internet for a newer one of itself.
      DENO_NO_UPDATE_CHECK: "1",
    },
  }).spawn();
  const writer = new LineWriter<ToEngine>(child.stdin);
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof TypeError)) throw error;
    }
  };
  void follow(child, { listener, writer, kill });
  return { pid: child.pid, kill, send: (message) => void writer.write(message) };
}

async function follow(
  child: Deno.ChildProcess,
  { listener, writer, kill }: {
    listener: EngineListener;
    writer: LineWriter<ToEngine>;
    kill: () => void;
  },
): Promise<void> {
  let fault: string | undefined;
  try {
    for await (const line of readLines(child.stdout, MAX_MESSAGE_BYTES)) {
      const message = parseFromEngine(line);
      if (message === undefined) {
        fault = "the engine said something that no engine says";
        break;
      }
      listener.onMessage(message);
    }
  } catch (error) {
    fault = error instanceof Error ? error.message : String(error);
  }
  if (fault !== undefined) kill();
  const status = await child.status;
  await writer.close();
  listener.onEnded(fault ?? (status.signal ? `signal ${status.signal}` : `exit ${status.code}`));
}
