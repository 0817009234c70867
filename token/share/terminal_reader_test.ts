/** The helper at a terminal between a vpcd and a gateway that talk nonsense. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Deframer, frame } from "../softcard/vpcd_framing.ts";
import { encodeFrame, encodeText, LINK, LinkDeframer } from "./link.ts";
import { runTerminalReader } from "./terminal_reader.ts";
import { selfSigned } from "./test_certificate.ts";

const ATR = Uint8Array.fromHex("3b8d800180fba000000308000010000100cd");
const GET_ATR = Uint8Array.of(4);
const SELECT = Uint8Array.fromHex("00a4040000");
const OK = Uint8Array.of(0x90, 0x00);

Deno.test("a vpcd that talks nonsense is left, dialled again and served, and no command is made up", async () => {
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.constantFrom(0, 1, 2, 3, 4, 5, 255).map((control) => Uint8Array.of(control)),
    fc.constantFrom("00a4040000", "0020008000", "80").map((text) => Uint8Array.fromHex(text)),
  );
  const stream = fc.tuple(fc.array(message, { minLength: 1, maxLength: 6 }), fc.nat({ max: 20 }))
    .map(([messages, cut]) => {
      const whole = messages.flatMap((one) => [...frame(one)]);
      return Uint8Array.from(whole.slice(0, Math.max(1, whole.length - cut)));
    });
  const nonsense = fc.sample(stream, { numRuns: 8, seed: 7 });
  await using world = await World.open();
  for (const bytes of [frame(Uint8Array.of(1, 2)), frame(Uint8Array.of(77)), ...nonsense]) {
    using vpcd = await world.vpcd.accept();
    await vpcd.write(bytes);
    await vpcd.closeWrite();
    while (await vpcd.read(new Uint8Array(1_024)) !== null) { /* whatever it answers */ }
  }
  assert.ok(world.said.some((line) => /^Cannot serve this reader: it sent/.test(line)));
  assert.deepEqual(await world.served(), [ATR, OK]);
  assert.ok(world.gateway.commands.every(({ length }) => length >= 4));
});

Deno.test("a gateway that talks nonsense is left and dialled again; the card leaves meanwhile", async () => {
  await using world = await World.open();
  for (
    const nonsense of [
      encodeFrame(99),
      Uint8Array.fromHex("ffffffff"),
      new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"),
    ]
  ) {
    using vpcd = await world.vpcd.accept();
    await world.gateway.say(nonsense);
    while (await vpcd.read(new Uint8Array(1_024)) !== null) { /* until the card has left */ }
  }
  assert.deepEqual(await world.served(), [ATR, OK]);
  assert.ok(world.said.some((line) => /sent what no gateway sends/.test(line)));
});

Deno.test("a card that is lost on its way into the reader doesn't get there", async () => {
  await using world = await World.open();
  const { connect } = Deno;
  const { promise: lost, resolve: lose } = Promise.withResolvers<void>();
  // The way to the reader takes as long as the gateway needs to hang up.
  Deno.connect = (async (options: Deno.ConnectOptions) => {
    const connection = await connect(options);
    await lost;
    return connection;
  }) as typeof Deno.connect;
  try {
    using vpcd = await world.vpcd.accept();
    await vpcd.write(frame(GET_ATR));
    world.gateway.hangUp();
    while (!world.said.some((line) => line.startsWith("No card"))) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    Deno.connect = connect;
    lose();
    assert.equal(await vpcd.read(new Uint8Array(16)).catch(() => null), null, "it isn't kept");
  } finally {
    Deno.connect = connect;
  }
  assert.deepEqual(await world.served(), [ATR, OK]);
});

Deno.test("a lease that ends under a waiting program takes the card out, not an answer in", async () => {
  await using world = await World.open();
  world.gateway.grants = false;
  {
    using vpcd = await world.vpcd.accept();
    await vpcd.write(frame(SELECT));
    await world.gateway.untilCommands(1);
    await world.gateway.say(encodeText(LINK.ended, "waited-too-long"));
    assert.equal(await vpcd.read(new Uint8Array(16)), null, "no answer was made up");
  }
  // The command may have crossed the end of the lease before it, and have asked for another one.
  await world.gateway.untilReleases(1);
  world.gateway.grants = true;
  assert.deepEqual(await world.served(), [ATR, OK]);
});

/** A gateway over TLS that lends one card to whoever comes. */
class FakeGateway {
  readonly listener: Deno.TlsListener;
  readonly commands: Uint8Array[] = [];
  releases = 0;
  grants = true;
  #link: Deno.TlsConn | undefined;
  #heard: (() => void) | undefined;

  constructor(tls: { cert: string; key: string }) {
    this.listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...tls });
    void this.#serve();
  }

  hangUp(): void {
    this.#link?.close();
  }

  async say(bytes: Uint8Array): Promise<void> {
    await this.#link?.write(bytes);
  }

  untilCommands(count: number): Promise<void> {
    return this.#until(() => this.commands.length >= count);
  }

  untilReleases(count: number): Promise<void> {
    return this.#until(() => this.releases >= count);
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#heard = resolve);
  }

  async #serve(): Promise<void> {
    for await (const link of this.listener) {
      this.#link = link;
      await this.#converse(link).catch(() => {});
      try {
        link.close();
      } catch {
        // Closed already.
      }
    }
  }

  async #converse(link: Deno.TlsConn): Promise<void> {
    const deframer = new LinkDeframer();
    const buffer = new Uint8Array(4_096);
    for (;;) {
      const count = await link.read(buffer);
      if (count === null) return;
      const frames = deframer.push(buffer.subarray(0, count));
      assert.ok(frames !== "too-long", "the helper sends what it may");
      for (const { kind, body } of frames) {
        if (kind === LINK.hello) await link.write(encodeFrame(LINK.card, ATR));
        if (kind === LINK.release) this.releases++;
        if (kind === LINK.command) this.commands.push(body);
        this.#heard?.();
        if (kind !== LINK.command || !this.grants) continue;
        await link.write(encodeFrame(LINK.granted, new Uint8Array(4)));
        await link.write(encodeFrame(LINK.response, OK));
      }
    }
  }
}

/** A vpcd, a gateway, and the helper between them. */
class World implements AsyncDisposable {
  readonly vpcd = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly said: string[] = [];
  readonly gateway: FakeGateway;
  readonly #ending = new AbortController();
  readonly #helper: Promise<void>;

  private constructor(tls: { cert: string; key: string }) {
    this.gateway = new FakeGateway(tls);
    const { port } = this.gateway.listener.addr;
    this.#helper = runTerminalReader({
      gateway: { hostname: "127.0.0.1", port },
      authority: tls.cert,
      port: this.vpcd.addr.port,
      say: (line) => this.said.push(line),
      absenceMs: 1,
    }, this.#ending.signal);
  }

  static async open(): Promise<World> {
    return new World(await selfSigned());
  }

  /** What a program at this terminal gets now: the answer to reset, and to one command. */
  async served(): Promise<Uint8Array[]> {
    using connection = await this.vpcd.accept();
    const deframer = new Deframer();
    const ask = async (message: Uint8Array) => {
      await connection.write(frame(message));
      const buffer = new Uint8Array(1_024);
      for (;;) {
        const count = await connection.read(buffer);
        assert.ok(count !== null, "it answers");
        const [answer] = deframer.push(buffer.subarray(0, count));
        if (answer !== undefined) return answer.slice();
      }
    };
    return [await ask(GET_ATR), await ask(SELECT)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    this.vpcd.close();
    this.gateway.listener.close();
    await this.#helper;
  }
}
