/** Asks a hub for its half of a split profile, after the card proved itself. */
import { randomBytes } from "node:crypto";
import { PIV_ALGORITHM, type PivAlgorithm } from "../piv/constants.ts";
import {
  ANSWER_BYTES,
  CHALLENGE_BYTES,
  GREETING,
  makeShareRequest,
  type ShareRefusal,
} from "./share_protocol.ts";
import type { SplitHead } from "./types.ts";

/** How long the hub may take, from the first packet to the answer, in milliseconds. */
const PATIENCE_MS = 10_000;

/** The hub gives its half to nobody, or not to this card. */
export class ShareRefusedError extends Error {
  override readonly name = "ShareRefusedError";
  readonly why: ShareRefusal;

  constructor(why: ShareRefusal) {
    super(`Cannot open the profile: the hub keeps its half back (${why}); ask its administrator`);
    this.why = why;
  }
}

/** No hub answered: it may be tried again. */
export class ShareUnreachableError extends Error {
  override readonly name = "ShareUnreachableError";
}

/** What signing needs of a card; its PIN must be verified. */
export interface SigningCard {
  sign(slot: number, request: { algorithm: PivAlgorithm; input: Uint8Array }): Promise<Uint8Array>;
}

/**
 * Gets the hub's share (17 bytes, to be wiped by the caller).
 * @throws {ShareRefusedError} with the hub's reason; {ShareUnreachableError} when none answers.
 */
export async function fetchShare(card: SigningCard, split: SplitHead): Promise<Uint8Array> {
  const { hub, id, hubKey, proofSlot } = split;
  using line = await Line.open(hub);
  const greeting = await line.read(GREETING.length + CHALLENGE_BYTES);
  if (!GREETING.every((byte, at) => greeting[at] === byte)) {
    throw new ShareUnreachableError(`Cannot ask the hub at ${hub}: something else answers there`);
  }
  const request = await makeShareRequest({
    challenge: greeting.slice(GREETING.length),
    id,
    hubKey,
    secret: new Uint8Array(randomBytes(32)),
    sign: (digest) => card.sign(proofSlot, { algorithm: PIV_ALGORITHM.eccP256, input: digest }),
  });
  await line.write(request.bytes);
  const bytes = await line.read(ANSWER_BYTES);
  const answer = await request.open(bytes);
  bytes.fill(0);
  if (answer === undefined) {
    throw new ShareUnreachableError(`Cannot ask the hub at ${hub}: another hub answers there`);
  }
  if (!answer.granted) throw new ShareRefusedError(answer.why);
  return answer.share;
}

/** One connection, bounded in time. */
class Line implements Disposable {
  readonly #hub: string;
  readonly #connection: Deno.TcpConn;
  readonly #timer: ReturnType<typeof setTimeout>;

  private constructor(hub: string, connection: Deno.TcpConn, end: number) {
    this.#hub = hub;
    this.#connection = connection;
    this.#timer = setTimeout(() => this.#close(), Math.max(0, end - performance.now()));
  }

  static async open(hub: string): Promise<Line> {
    const colon = hub.lastIndexOf(":");
    const hostname = hub.slice(0, colon).replace(/^\[|\]$/g, "");
    const end = performance.now() + PATIENCE_MS;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"late">((done) => timer = setTimeout(() => done("late"), PATIENCE_MS));
    const connecting = Deno.connect({ hostname, port: Number(hub.slice(colon + 1)) });
    try {
      const connection = await Promise.race([connecting, late]);
      if (connection !== "late") return new Line(hub, connection, end);
      connecting.then((one) => one.close(), () => {});
      throw new Error("no answer in time");
    } catch (error) {
      throw unreachable(hub, error);
    } finally {
      clearTimeout(timer);
    }
  }

  async read(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    for (let length = 0; length < count;) {
      const got = await this.#do(this.#connection.read(bytes.subarray(length)));
      if (got === null) throw unreachable(this.#hub, new Error("it closed the connection"));
      length += got;
    }
    return bytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#do(this.#connection.write(bytes.subarray(sent)));
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#close();
  }

  async #do<T>(step: Promise<T>): Promise<T> {
    try {
      return await step;
    } catch (error) {
      throw unreachable(this.#hub, error);
    }
  }

  #close(): void {
    try {
      this.#connection.close();
    } catch {
      // It is closed already.
    }
  }
}

function unreachable(hub: string, error: unknown): ShareUnreachableError {
  const why = error instanceof Error ? error.message : String(error);
  return new ShareUnreachableError(
    `Cannot ask the hub at ${hub} for its half: ${why.slice(0, 120)}; check the Internet uplink`,
  );
}
