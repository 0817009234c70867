/**
 * Somebody's computer: this system's own programs under a root of its own, without the project, the
 * runtime or anything that was installed for it. Whatever is written there lands in places that can
 * be listed completely: one overlay and a few file systems in memory.
 */
import { dirname } from "node:path";
import type { Machine, Running } from "../lab/machine.ts";
import { MAIN } from "./stick.ts";

const ROOT = "/run/computer";

export class Computer {
  readonly machine: Machine;
  /** Where the visible part is mounted, as the machine sees it. */
  readonly visible = `${ROOT}/root/media/stick`;
  readonly #hidden: readonly string[];

  private constructor(machine: Machine, hidden: readonly string[]) {
    this.machine = machine;
    this.#hidden = hidden;
  }

  /**
   * @param stick The visible files' folder and the whole stick's device.
   */
  static async build(
    machine: Machine,
    stick: { visible: string; device: string },
  ): Promise<Computer> {
    const { rdev } = await Deno.stat(stick.device);
    const [major, minor] = [(rdev ?? 0) >> 8 & 0xfff, (rdev ?? 0) & 0xff];
    // The checkout, and where runtime and caches of whoever runs the tests may lie.
    const hidden = [`/${dirname(MAIN).split("/")[1]}`, "/root", "/home", "/usr/local", "/opt"]
      .filter((path, index, all) => all.indexOf(path) === index);
    await machine.sh(`
      mkdir -p ${ROOT} && mount -t tmpfs -o mode=755 tmpfs ${ROOT}
      cd ${ROOT} && mkdir upper work root
      mkdir -p upper/media/stick
      mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
      mount --bind -o ro ${stick.visible} root/media/stick
      mount -o remount,bind,ro root/media/stick
      for path in ${[...hidden, "/tmp", "/var/tmp", "/run", "/dev"].join(" ")}; do
        [ -d root$path ] && mount -t tmpfs -o mode=755 tmpfs root$path
      done
      mount -t proc proc root/proc
      mount --rbind /sys root/sys
      mkdir -p root/dev/net root/dev/shm root/dev/pts
      mount -t tmpfs tmpfs root/dev/shm
      mount --bind /dev/pts root/dev/pts
      cd root/dev
      mknod null c 1 3; mknod zero c 1 5; mknod random c 1 8; mknod urandom c 1 9
      mknod tty c 5 0; mknod net/tun c 10 200; mknod stick b ${major} ${minor}
      chmod 666 null zero random urandom tty`);
    return new Computer(machine, hidden);
  }

  /** Every file that is in a place that can be written to: kind, size, times, mode, content. */
  async files(): Promise<string[]> {
    const memory = [...this.#hidden, "/tmp", "/var/tmp", "/run", "/dev", "/dev/shm"];
    const listed = await this.machine.sh(`
      cd ${ROOT}
      for place in upper ${memory.map((path) => `root${path}`).join(" ")}; do
        [ -d $place ] || continue
        find $place -xdev -printf '%p %y %s %m %T@ %C@ %l\\n'
        find $place -xdev -type f -exec sha256sum {} +
      done`);
    return listed.trim().split("\n").sort();
  }

  /** The words that run a command on this computer. */
  command(...words: string[]): string[] {
    return ["chroot", `${ROOT}/root`, ...words];
  }

  /** Starts the stick's launcher on a terminal of its own. */
  start(...args: string[]): Promise<Running> {
    const words = this.command("sh", "/media/stick/start.sh", "--device", "/dev/stick", ...args);
    return this.machine.spawn(["script", "-qefc", words.join(" "), "/dev/null"], {
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    });
  }
}

/** Somebody at the terminal: reads what is shown, types. */
export class Person {
  #seen = "";
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #ended: Promise<void>;
  #wake: () => void = () => {};
  #isOver = false;

  constructor(running: Running) {
    this.#writer = running.child.stdin.getWriter();
    this.#ended = this.#read(running.child.stdout);
  }

  /** Everything that was shown so far. */
  get seen(): string {
    return this.#seen;
  }

  async waitFor(words: string | RegExp): Promise<void> {
    const isThere = () =>
      typeof words === "string" ? this.#seen.includes(words) : words.test(this.#seen);
    while (!isThere()) {
      if (this.#isOver) throw new Error(`It ended without ${words}: ${this.#seen}`);
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async type(text: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(text));
  }

  /** Everything that was shown, once it ended. */
  async end(): Promise<string> {
    await this.#ended;
    await this.#writer.close().catch(() => {});
    return this.#seen;
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#seen += text;
      this.#wake();
    }
    this.#isOver = true;
    this.#wake();
  }
}
