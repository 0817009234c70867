/** Where terminals' readers dial in: who is served, and who makes room. */
import assert from "node:assert/strict";
import type { CardSession } from "../../token/pcsc/types.ts";
import { encodeFrame, LINK, LINK_VERSION, LinkDeframer } from "../../token/share/link.ts";
import { selfSigned } from "../../token/share/test_certificate.ts";
import { serveReaders } from "./reader_server.ts";
import { Sharing } from "./sharing.ts";

const ATR = Uint8Array.of(0x3b, 0x80);
const SELECT = Uint8Array.fromHex("00a4040000");
/** As many of one address are served at once. */
const LINKS_OF_ONE = 4;

const card: CardSession = {
  ...{ reader: "R", atr: ATR, events: 1, removed: new Promise(() => {}) },
  transmit: () => Promise.resolve(Uint8Array.of(0x90, 0x00)),
  reset: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

Deno.test({
  name: "readers: links that a terminal forgot make room for its new one, those in use don't",
  // The server listens for as long as its process lives.
  sanitizeResources: false,
  sanitizeOps: false,
  async fn() {
    const refused: string[] = [];
    const sharing = new Sharing({
      share: {
        ...{ idleMs: 60_000, hardMs: 60_000, beforeUnlock: true, pin: "keep", allow: [] },
      },
      ...{ card, applications: [], rekey: () => {}, restore: () => Promise.resolve() },
      ...{ report: () => {}, onChange: () => {}, fail: () => {} },
    });
    sharing.open("none", { protectedKeys: [] });
    const { cert, key } = await selfSigned();
    const [port = 0] = await serveReaders({
      ...{ addresses: ["127.0.0.1"], port: 0, card, sharing },
      identify: () => Promise.resolve({ key: "a", label: "desk" }),
      onRefused: (_address, why) => refused.push(why),
    }, { chain: cert, privatePem: key });
    const open: Reader[] = [];
    for (let n = 0; n < LINKS_OF_ONE; n++) open.push(await Reader.dial(port, cert));
    const [first, second] = open;
    assert.ok(first && second);
    await first.send(LINK.command, SELECT);
    assert.equal((await first.until(LINK.response)).toHex(), "9000", "the first has the card");
    // A laptop that slept: its links are open here, and it dials anew.
    open.push(await Reader.dial(port, cert));
    assert.equal(await second.hungUp(), true, "the oldest that holds nothing went");
    assert.deepEqual(refused, []);
    for (const reader of open.slice(2)) await reader.send(LINK.command, SELECT);
    await open.at(-1)?.until(LINK.place);
    await assert.rejects(Reader.dial(port, cert), "all are in use");
    assert.deepEqual(refused, ["too many readers"]);
    await first.send(LINK.command, SELECT);
    assert.equal((await first.until(LINK.response)).toHex(), "9000");
    for (const reader of open) reader.close();
  },
});

/** A terminal's end of a link that was greeted. */
class Reader {
  readonly #link: Deno.TlsConn;
  readonly #deframer = new LinkDeframer();
  readonly #frames: { kind: number; body: Uint8Array }[] = [];

  private constructor(link: Deno.TlsConn) {
    this.#link = link;
  }

  static async dial(port: number, authority: string): Promise<Reader> {
    const link = await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: [authority] });
    const reader = new Reader(link);
    await reader.send(LINK.hello, Uint8Array.of(LINK_VERSION));
    assert.deepEqual(await reader.until(LINK.card), ATR);
    return reader;
  }

  async send(kind: number, body: Uint8Array): Promise<void> {
    await this.#link.write(encodeFrame(kind, body));
  }

  async until(kind: number): Promise<Uint8Array> {
    for (;;) {
      const next = this.#frames.shift();
      if (next?.kind === kind) return next.body;
      if (next === undefined && !await this.#read()) throw new Error("it hung up");
    }
  }

  async hungUp(): Promise<boolean> {
    while (await this.#read()) { /* whatever it says before */ }
    return true;
  }

  close(): void {
    try {
      this.#link.close();
    } catch {
      // It went first.
    }
  }

  async #read(): Promise<boolean> {
    const buffer = new Uint8Array(1_024);
    const count = await this.#link.read(buffer).catch(() => null);
    if (count === null) return false;
    const frames = this.#deframer.push(buffer.subarray(0, count));
    assert.ok(frames !== "too-long");
    this.#frames.push(...frames);
    return true;
  }
}
