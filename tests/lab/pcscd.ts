/** The real pcscd with Debian's virtual reader, and software cards in it, inside a lab machine. */
import { fileURLToPath } from "node:url";
import type { Machine, Running } from "./machine.ts";
import { sleep } from "./machine.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";

/** How long to wait for a daemon before giving up: a guard against hanging, not a measure. */
const PATIENCE_MS = 30_000;

/** A running pcscd. */
export interface Pcscd {
  /** The first reader, as PC/SC names it. */
  readonly readerName: string;
  readonly running: Running;
  stop(): Promise<void>;
}

/**
 * Starts pcscd in a machine, with one vpcd whose two slots listen on `port` and `port + 1`, and
 * waits until it answers. Its socket lies on the machine's own /run, its configuration is its own;
 * vpcd listens on every address, but the machine has none that others reach unless wired.
 */
export async function startPcscd(
  machine: Machine,
  options: { port?: number; log?: "inherit" | "null" } = {},
): Promise<Pcscd> {
  const port = options.port ?? 35963;
  const config = "/run/pcscd/reader.conf.d";
  // /run is the machine's own tmpfs: the file is written from within. What a killed pcscd left
  // behind would keep the next one from starting, and its socket would pass for the next one's.
  await machine.sh(`
    rm -f /run/pcscd/pcscd.comm /run/pcscd/pcscd.pid
    mkdir -p ${config}
    cat > ${config}/vpcd <<'END'
FRIENDLYNAME "Virtual PCD"
DEVICENAME   /dev/null:0x${port.toString(16).toUpperCase()}
LIBPATH      ${DRIVER}
CHANNELID    0x${port.toString(16).toUpperCase()}
END
  `);
  const output = options.log ?? "null";
  const running = await machine.spawn(["pcscd", "-f", "-c", config], {
    stdout: output,
    stderr: output,
  });
  try {
    await untilTrue("pcscd to listen", async () => {
      const { code, stdout } = await machine.run(["ss", "-Hltnx"]);
      return code === 0 && stdout.includes("/run/pcscd/pcscd.comm") &&
        stdout.includes(`:${port} `);
    });
  } catch (error) {
    await running.stop();
    throw error;
  }
  return { readerName: "Virtual PCD 00 00", running, stop: () => running.stop() };
}

/** What a software card in a machine is started with. */
export interface SoftcardSetup {
  /** Its state file; made with factory values when absent. */
  readonly state: string;
  readonly pin?: string;
  readonly puk?: string;
  readonly serial?: number;
  /** Start outside the reader. */
  readonly removed?: boolean;
  /** The reader's port. Default 35963. */
  readonly port?: number;
  readonly log?: "inherit" | "null";
}

/** What the card says about itself. */
export interface SoftcardStatus {
  readonly serial: number;
  readonly presence: "removed" | "waiting" | "ready";
  readonly fault: string;
  readonly pinTries: number;
  readonly pukTries: number;
  readonly freeSpace: number;
}

/** A software card that tests put into the reader and take out again. */
export interface Softcard {
  readonly running: Running;
  /** Puts the card in; resolves when the reader has it. */
  insert(): Promise<void>;
  /** Takes the card out; resolves when the connection is closed. */
  remove(): Promise<void>;
  status(): Promise<SoftcardStatus>;
  /** `garbage [HEX]`, `silent`, `pull-at N` or `none`. */
  fault(what: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the role `softcard` in a machine; resolves when the card is in (or waits outside). */
export async function startSoftcard(machine: Machine, setup: SoftcardSetup): Promise<Softcard> {
  const control = `${setup.state}.control`;
  const running = await machine.spawn([
    ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", MAIN, "softcard"],
    ...["--state", setup.state, "--control", control],
    ...["--vpcd", `127.0.0.1:${setup.port ?? 35963}`],
    ...(setup.pin === undefined ? [] : ["--pin", setup.pin]),
    ...(setup.puk === undefined ? [] : ["--puk", setup.puk]),
    ...(setup.serial === undefined ? [] : ["--serial", String(setup.serial)]),
    ...(setup.removed ? ["--removed"] : []),
  ], { stdout: setup.log ?? "null", stderr: setup.log ?? "inherit" });
  let over = false;
  void running.status.then(() => over = true);
  const card: Softcard = {
    running,
    async insert() {
      await say("insert");
      await untilTrue(
        "the reader to take the card",
        async () => (await card.status()).presence === "ready",
      );
    },
    remove: async () => void await say("remove"),
    status: async () => JSON.parse((await say("status")).slice("ok ".length)),
    fault: async (what) => void await say(`fault ${what}`),
    stop: () => running.stop(),
  };
  try {
    await untilTrue("the software card to start", async () => {
      if (over) throw new Error("Cannot start the software card: it ended; see its own message");
      const status = await card.status().catch(() => undefined);
      return status?.presence === (setup.removed ? "removed" : "ready");
    });
  } catch (error) {
    await running.stop();
    throw error;
  }
  return card;

  async function say(line: string): Promise<string> {
    using connection = await Deno.connect({ transport: "unix", path: control });
    await connection.write(new TextEncoder().encode(`${line}\n`));
    const buffer = new Uint8Array(4096);
    const count = await connection.read(buffer) ?? 0;
    const answer = new TextDecoder().decode(buffer.subarray(0, count)).trim();
    if (!answer.startsWith("ok")) throw new Error(`Cannot ${line} the software card: ${answer}`);
    return answer;
  }
}

async function untilTrue(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`Cannot go on: waited ${PATIENCE_MS} ms for ${what}`);
    await sleep(20);
  }
}
