/** Reads server-sent events out of a response, one after the other. */
export class SseReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(response: Response) {
    if (response.body === null) throw new Error("Cannot read events: the response has no body");
    this.#reader = response.body.getReader();
  }

  /** The next event; `undefined` at the end of the stream. Comments and `retry` are passed over. */
  async next(): Promise<{ event: string; data: unknown } | undefined> {
    for (;;) {
      const end = this.#rest.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 2);
        const fields = new Map(
          block.split("\n").map((line) => {
            const [name = "", ...value] = line.split(": ");
            return [name, value.join(": ")];
          }),
        );
        const event = fields.get("event");
        if (event === undefined) continue;
        return { event, data: JSON.parse(fields.get("data") ?? "null") };
      }
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#rest += this.#decoder.decode(value, { stream: true });
    }
  }

  async close(): Promise<void> {
    await this.#reader.cancel();
  }
}
