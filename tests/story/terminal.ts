/** A terminal of the story: a machine on a gateway's LAN with a person at it. */
import type { Machine, Running } from "../lab/machine.ts";
import { lines } from "./lines.ts";
import type { Errand, Errands, Order, Outcome } from "./person.ts";

type What<E extends Errand> = Parameters<Errands[E]>[0];
type Result<E extends Errand> = Awaited<ReturnType<Errands[E]>>;

export class Terminal implements AsyncDisposable {
  readonly machine: Machine;
  readonly #person: Running;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();
  readonly #listening: Promise<void>;
  #last = 0;

  private constructor(machine: Machine, person: Running) {
    this.machine = machine;
    this.#person = person;
    this.#orders = person.child.stdin.getWriter();
    this.#listening = this.#listen();
  }

  /** Seats a person at a machine. */
  static async start(machine: Machine): Promise<Terminal> {
    const program = new URL("./person.ts", import.meta.url).pathname;
    const person = await machine.spawn(
      [Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", "--quiet", program],
      { stdin: "piped", stdout: "piped", stderr: "inherit" },
    );
    return new Terminal(machine, person);
  }

  /** Does one errand; rejects with what went wrong as the person saw it. */
  do<E extends Errand>(errand: E, what: What<E>): Promise<Result<E>> {
    const result = this.#order(errand, what).then((outcome) => {
      if (!("error" in outcome)) return outcome.result as Result<E>;
      throw new Error(`${this.machine.name} cannot ${errand}: ${outcome.error}`);
    });
    // An errand that runs beside others may fail after the story ended over something else.
    result.catch(() => {});
    return result;
  }

  /** What went wrong, or undefined when it went well: for what must not work. */
  async fails<E extends Errand>(errand: E, what: What<E>): Promise<string | undefined> {
    const outcome = await this.#order(errand, what);
    return "error" in outcome ? outcome.error : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#orders.close().catch(() => {});
    await this.#person.stop();
    await this.#listening;
  }

  #order(errand: Errand, what: unknown): Promise<Outcome> {
    const order: Order = { id: ++this.#last, errand, what };
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#waiting.set(order.id, resolve);
    this.#orders.write(new TextEncoder().encode(JSON.stringify(order) + "\n")).catch(() => {});
    return promise;
  }

  async #listen(): Promise<void> {
    for await (const line of lines(this.#person.child.stdout)) {
      const outcome = JSON.parse(line) as Outcome;
      this.#waiting.get(outcome.id)?.(outcome);
      this.#waiting.delete(outcome.id);
    }
    for (const [id, settle] of this.#waiting) settle({ id, error: "the person has left" });
  }
}
