/** Lines of bounded length out of a byte stream, and into one. */

/** A line longer than the bound arrived; the stream can't be trusted any more. */
export class LineTooLongError extends Error {
  override readonly name = "LineTooLongError";
}

/**
 * Yields each line without its line feed; a last line without one is dropped.
 * @throws {LineTooLongError} when a line exceeds `maxBytes`.
 */
export async function* readLines(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let held: Uint8Array = new Uint8Array(0);
  for await (const chunk of stream) {
    let rest = held.length === 0 ? chunk : joined(held, chunk);
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      if (end > maxBytes) break;
      yield decoder.decode(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
    }
    if (rest.length > maxBytes) throw new LineTooLongError(`a line exceeds ${maxBytes} bytes`);
    held = rest.slice();
  }
}

/** Writes messages in order, one JSON line each; after the stream broke, silently nothing. */
export class LineWriter<T> {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #encoder = new TextEncoder();
  #broken = false;

  constructor(stream: WritableStream<Uint8Array>) {
    this.#writer = stream.getWriter();
    this.#writer.closed.catch(() => this.#broken = true);
  }

  /** Resolves when the message was handed to the kernel, or the stream is broken. */
  async write(message: T): Promise<void> {
    if (this.#broken) return;
    try {
      await this.#writer.write(this.#encoder.encode(`${JSON.stringify(message)}\n`));
    } catch {
      this.#broken = true; // the other side ended; its end is noticed where it is waited for
    }
  }

  async close(): Promise<void> {
    await this.#writer.close().catch(() => {});
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
