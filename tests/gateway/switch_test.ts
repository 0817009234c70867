import assert from "node:assert/strict";
import type { SessionGrant } from "../../gateway/switch/grant.ts";
import { faultTest, injectInto } from "../lab/fault_injection.ts";
import { sizeOf, untilLarger } from "../lab/growth.ts";
import type { Machine } from "../lab/machine.ts";
import { sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import type { Box } from "./box.ts";
import { BOX, GRANT, LEARNED, Network, OFFICE, WEB } from "./network.ts";

const DIRECT: SessionGrant = { ...GRANT, otherTraffic: "direct" };
type Drops = Record<string, number>;

/** What a curious terminal tries. None of it needs an answer. */
const ATTEMPTS = `
for port in 22 53 80 443 853 9999; do
  for host in ${WEB.v4} ${WEB.v6} ${OFFICE.v4} ${OFFICE.v6} ${LEARNED}; do
    printf x > /dev/udp/$host/$port
    timeout 5 bash -c "printf x > /dev/tcp/$host/$port"
  done
done
head -c 5000 /dev/zero > /dev/udp/${WEB.v4}/9999
head -c 5000 /dev/zero > /dev/udp/${WEB.v6}/9999
ping -c 1 -W 1 ${WEB.v4}; ping -c 1 -W 1 ${WEB.v6}; ping -c 1 -W 1 -s 4000 ${WEB.v4}
ping -c 1 -W 1 -t 1 ${WEB.v4}; ping -b -c 1 -W 1 255.255.255.255; ping -c 1 -W 1 224.0.0.251
dig +time=1 +tries=1 @${WEB.v4} a.example; dig +tcp +time=1 +tries=1 @${WEB.v6} b.example
true`;

labTest("switch: locked, nothing of a terminal leaves, and nothing makes it hang", async () => {
  await using network = await locked();
  const { terminal } = network.network;
  await terminal.run(["bash", "-c", ATTEMPTS]);
  await spoof(terminal);
  assert.deepEqual(await network.sentText("internet"), []);
  assert.deepEqual(await network.sentText("office"), []);

  const drops = await network.box.do<Drops>({ do: "drops" });
  for (const reason of ["terminal-to-outside", "ipv6", "dns", "spoofed-source"]) {
    assert.ok((drops[reason] ?? 0) > 0, `${reason} is counted: ${JSON.stringify(drops)}`);
  }
  for (const host of [WEB.v4, `[${WEB.v6}]`]) {
    assert.match((await network.fetch(`http://${host}/`)).stdout, /^gateway sees /, "the portal");
    // curl's 7 is a refusal; a hang would be 28.
    assert.equal((await network.fetch(`https://${host}/`)).code, 7);
  }
  // Echo requests to the box, and its neighbours' questions, are answered.
  await terminal.sh(`ping -c 1 -W 5 ${BOX.lan} && ping -c 1 -W 5 ${BOX.lan6}`);
  assert.equal((await network.fetch(`http://${BOX.lan}:8080/`)).code, 7, "only its own services");
});

labTest(
  "switch: while a card is being unlocked a connection waits, and then goes on by itself",
  async () => {
    await using network = await locked();
    const { terminal, network: { office } } = network;
    const code = `for await (const c of Deno.listen({ port: 7000, hostname: "::" })) {
    await c.write(new TextEncoder().encode("office")); c.close(); }`;
    const listening = await office.spawn([Deno.execPath(), "eval", "--quiet", code]);
    await office.sh("until (exec 3<>/dev/tcp/127.0.0.1/7000) 2>/dev/null; do sleep 0.1; done");
    const connect = (seconds: number) =>
      terminal.run(["timeout", `${seconds}`, "bash", "-c", `cat < /dev/tcp/${OFFICE.v4}/7000`]);
    assert.equal((await connect(5)).code, 1, "locked, it is refused at once");
    await network.box.do({ do: "suspend", on: true });
    assert.equal((await connect(1)).code, 124, "suspended, it hangs");
    const waiting = connect(30);
    await sleep(300);
    assert.deepEqual(await network.sentText("office"), [], "and nothing of it leaves");
    await network.box.do({ do: "open", grant: GRANT });
    assert.equal((await waiting).stdout, "office");
    await network.box.do({ do: "suspend", on: true });
    assert.equal((await network.fetch(`https://${WEB.v4}/`)).code, 7, "no session is suspended");
    await network.box.do({ do: "close" });
    await network.box.do({ do: "suspend", on: true });
    await network.box.do({ do: "suspend", on: false });
    assert.equal((await connect(5)).code, 1, "and refused again");
    await listening.stop();
  },
);

labTest("switch: every DNS question gets the box, whoever is asked", async () => {
  await using network = await locked();
  const asked = [[], [`@${WEB.v4}`], [`@${WEB.v6}`], [`@${WEB.v4}`, "+tcp"], [`@${BOX.lan}`]];
  for (const options of asked) {
    assert.match(
      await network.ask("web.example", "A", ...options),
      /web\.example\.\s+0\s+IN\s+A\s+192\.168\.80\.1\n/,
      `asked ${options.join(" ") || "the terminal's resolver"}`,
    );
  }
  assert.match(await network.ask("web.example", "AAAA"), /\s0\s+IN\s+AAAA\s+fd80::1\n/);
  assert.deepEqual(await network.sentText("internet"), []);
});

labTest("switch: up with others dropped, the profile's destinations and nothing else", async () => {
  await using network = await locked();
  // The box advertises itself; an address made from that would be one more source.
  await network.terminal.sh(
    "echo 0 > /proc/sys/net/ipv6/conf/eth0/autoconf; ip -6 addr flush dev eth0 dynamic",
  );
  await network.box.do({ do: "open", grant: GRANT });
  assert.equal((await network.fetch(`http://${OFFICE.v4}/`)).stdout, seenBy("office", "10.8.0.2"));
  assert.equal((await network.fetch(`http://[${OFFICE.v6}]/`)).stdout, "office sees fd08::2\n");
  assert.equal(
    (await network.fetch("http://www.office.example/")).stdout,
    seenBy("office", "10.8.0.2"),
    "by name",
  );
  assert.equal(
    (await network.fetch("http://public.office.example/")).stdout,
    seenBy("office", "10.8.0.2"),
    "a public address, learned from the office's name",
  );
  const large = await network.terminal.run(["ping", "-c1", "-W5", "-Mdo", "-s1450", OFFICE.v4]);
  assert.match(large.stdout + large.stderr, /mtu ?= ?1420/i, "what is too large is told its bound");
  assert.match(
    await network.ask("www.office.example", "A", `@${OFFICE.v4}`),
    /10\.0\.0\.80/,
    "asked of an address behind the tunnel, the box answers all the same",
  );
  await using echo = await talk(network.terminal, OFFICE.v4, 9999);
  assert.equal(await echo.say("hello"), "hello", "UDP");

  assert.match(await network.ask("web.example"), /status: REFUSED/);
  assert.equal((await network.fetch(`http://${WEB.v4}/`)).code, 7);
  assert.equal((await network.fetch(`http://[${WEB.v6}]/`)).code, 7);
  await network.terminal.run(["bash", "-c", ATTEMPTS]);
  assert.deepEqual(await network.sentText("internet"), []);
  const drops = await network.box.do<Drops>({ do: "drops" });
  assert.ok((drops["not-in-profile"] ?? 0) > 0);

  const traffic = await network.box.do<{ address: string; sentBytes: number }[]>({ do: "traffic" });
  const addresses = traffic.map(({ address }) => address).sort();
  assert.deepEqual(addresses, ["192.168.80.50", "fd80::50"]);
  for (const { sentBytes } of traffic) assert.ok(sentBytes > 100);

  // From the office to a terminal nothing can be opened.
  await network.network.office.sh("ip route add 192.168.80.0/24 via 10.8.0.2 dev tun0 onlink");
  const inward = await network.network.office.run(
    ["bash", "-c", "timeout 2 bash -c 'printf x > /dev/tcp/192.168.80.50/8080'"],
  );
  assert.notEqual(inward.code, 0);
  assert.ok(((await network.box.do<Drops>({ do: "drops" }))["inbound"] ?? 0) > 0);

  // What the box says of a packet of the office's quotes it: it leaves by the tunnel as well.
  await network.network.office.sh(`echo 1 > /proc/sys/net/ipv4/ip_default_ttl
    echo 1 > /proc/sys/net/ipv6/conf/tun0/hop_limit`);
  const before = (await network.sent("office")).length;
  await Promise.all(
    [OFFICE.v4, `[${OFFICE.v6}]`].map((host) =>
      network.fetch(`http://${host}/`, "--max-time", "1")
    ),
  );
  const said = (await network.sentText("office")).slice(before).join("\n");
  assert.match(said, /^icmp 10\.8\.0\.2 > 10\.0\.0\.80 /m);
  assert.match(said, /^icmp fd08::2 > fd00:1::80 /m);
  assert.deepEqual(await network.sentText("internet"), []);
});

labTest("switch: large TCP segments fit the tunnel from the first packet on", async () => {
  await using network = await locked();
  await network.box.do({ do: "open", grant: { ...GRANT, mtu: 1300 } });
  // The wire itself takes 1,500 bytes: only the clamped size keeps packets small.
  await network.gateway.sh("ip link set sekisho0 mtu 1500");
  await network.terminal.sh(`curl -sS --max-time 20 http://${OFFICE.v4}/stream | head -c 100000`);
  const sizes = (await network.sent("office")).filter(({ kind }) => kind === "tcp");
  assert.ok(sizes.length > 3);
  const mss = await network.terminal.sh(
    `exec 3<>/dev/tcp/${OFFICE.v4}/8080; ss -Htin dst ${OFFICE.v4}`,
  );
  const size = Number(/\bmss:(\d+)/.exec(mss)?.[1]);
  assert.ok(size > 1000 && size <= 1260, mss);
});

labTest("switch: locking in mid-flow ends it at once, both ways", async () => {
  await using network = await locked();
  await network.box.do({ do: "open", grant: GRANT });
  const download = await network.terminal.spawn([
    ...["curl", "-sS", "-o", "/dev/null", "--max-time", "60", `http://${OFFICE.v4}/stream`],
  ], { stderr: "null" });
  await using udp = await talk(network.terminal, OFFICE.v4, 9999);
  assert.equal(await udp.say("before"), "before");
  const idle = await network.terminal.spawn([
    "bash",
    "-c",
    `exec 3<>/dev/tcp/${OFFICE.v4}/8080; read -r; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; sleep 1`,
  ], { stdin: "piped" });
  await untilSent(network, 40);

  const { at, tookMs } = await network.box.do<{ at: number; tookMs: number }>({ do: "lock" });
  const typed = idle.child.stdin.getWriter();
  await typed.write(new TextEncoder().encode("\n"));
  await udp.tell("after");
  await idle.status;
  await typed.close().catch(() => {});
  // `at` is whole milliseconds and was taken when the kernel had obeyed.
  assert.deepEqual(await network.sentText("office", at + 1), []);
  assert.deepEqual(await network.sentText("internet"), []);
  assert.ok(tookMs < 10_000, `${tookMs} ms, however busy the machine is`);
  await download.stop();

  // Another card: the flow that was there goes on as the new holder's, or not at all.
  await network.box.do({ do: "open", grant: { ...GRANT, addresses: ["10.8.0.3"] } });
  const opened = Date.now();
  await udp.tell("again");
  while (!(await network.sent("office", opened)).some(({ kind }) => kind === "udp")) {
    await sleep(20);
    await udp.tell("again");
  }
  const sources = new Set((await network.sent("office", opened)).map(({ source }) => source));
  assert.deepEqual([...sources], ["10.8.0.3"]);
  await network.box.do({ do: "open", grant: GRANT });
  assert.equal((await network.fetch(`http://${OFFICE.v4}/`)).stdout, seenBy("office", "10.8.0.2"));
});

faultTest(
  "switch: what the session before had is forgotten late, and takes nothing of this one along",
  async () => {
    await using network = await locked();
    await network.box.do({ do: "open", grant: GRANT });
    await network.box.do({ do: "lock" });
    // The kernel gets the request to forget when the session after has long begun: it is what the
    // thread that asks for it sends first. The ruleset is sent by another one, once later by that.
    await using _late = await injectInto(
      network.box.process.pid,
      "sendto:delay_enter=1500000:when=1",
    );
    await network.box.do({ do: "open", grant: GRANT });
    const path = `${network.network.lab.dir}/stream`;
    const download = await network.terminal.spawn([
      ...["curl", "-sS", "-N", "-o", path, `http://${OFFICE.v4}/stream`],
    ]);
    await untilLarger(path, 100_000);
    await sleep(2000);
    await untilLarger(path, sizeOf(path) + 1_000_000);
    await download.stop();
  },
);

labTest("switch: direct traffic uses the Internet, the profile's never does", async () => {
  await using network = await locked();
  await network.box.do({ do: "open", grant: DIRECT });
  await network.box.do({ do: "beat", on: true });
  assert.equal((await network.fetch(`http://${WEB.v4}/`)).stdout, seenBy("internet", BOX.wan));
  assert.equal(
    (await network.fetch(`http://[${WEB.v6}]/`)).stdout,
    "internet sees 2001:db8:1::1\n",
  );
  assert.equal((await network.fetch("http://web.example/")).stdout, seenBy("internet", BOX.wan));
  // Both sides answer at this address; it belongs to the office's name, so the office it is.
  assert.equal(
    (await network.fetch("http://public.office.example/")).stdout,
    seenBy("office", "10.8.0.2"),
  );
  assert.equal((await network.fetch(`http://${LEARNED}/`)).stdout, seenBy("office", "10.8.0.2"));
  assert.equal((await network.fetch(`http://${OFFICE.v4}/`)).stdout, seenBy("office", "10.8.0.2"));
  const strangers = await leftFor(network, [OFFICE.v4, OFFICE.v6, OFFICE.dns, LEARNED]);
  assert.deepEqual(strangers, []);
  // The Internet can't speak first, also when it routes to the LAN.
  for (const to of ["192.168.80.50", BOX.wan]) {
    const inward = await network.network.internet.run(
      ["bash", "-c", `timeout 2 bash -c 'printf x > /dev/tcp/${to}/8080'`],
    );
    assert.notEqual(inward.code, 0, to);
  }
});

labTest(
  "switch: the tunnel's interface vanishes under traffic, nothing turns to the Internet",
  async () => {
    await using network = await locked();
    await network.box.do({ do: "open", grant: DIRECT });
    await network.box.do({ do: "beat", on: true });
    assert.match((await network.fetch("http://public.office.example/")).stdout, /^office/);
    const pressing = await network.terminal.spawn(["bash", "-c", press(4000)]);
    await untilSent(network, 60);
    await network.gateway.sh("ip link del sekisho0");
    await pressing.status;
    assert.equal((await network.fetch(`http://${OFFICE.v4}/`)).code, 7, "refused at once");
    assert.equal((await network.fetch(`http://[${OFFICE.v6}]/`)).code, 7);
    assert.match((await network.fetch(`http://${WEB.v4}/`)).stdout, /^internet/, "direct goes on");
    assert.deepEqual(
      await leftFor(network, [OFFICE.v4, OFFICE.v6, OFFICE.dns, LEARNED]),
      [],
    );

    // It comes back under the same name: the session opened again carries.
    await network.network.connectTunnel();
    await network.box.do({ do: "open", grant: DIRECT });
    assert.match((await network.fetch(`http://${OFFICE.v4}/`)).stdout, /^office/);
  },
);

for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
  labTest(
    `switch: a gateway ended by ${signal} lets nothing more out, nor does its successor`,
    async () => {
      await using network = await locked();
      await network.box.do({ do: "open", grant: DIRECT });
      await network.box.do({ do: "beat", on: true });
      assert.match((await network.fetch(`http://${WEB.v4}/`)).stdout, /^internet/);
      // Past the guard's own time, so that it was prolonged at least once.
      await sleep(4500);
      assert.match((await network.fetch(`http://${WEB.v4}/`)).stdout, /^internet/);
      const pressing = await network.terminal.spawn(["bash", "-c", press(8000)]);
      await untilLeft(network, 20);
      network.box.process.signal(signal);
      const died = Date.now(); // not before: it may have prolonged its guard until then
      await pressing.status;
      // 3 s of guard and the second since the last beat, with room for a busy machine's timers.
      assert.deepEqual(await network.sentText("internet", died + 3_500), []);
      assert.equal((await network.fetch(`https://${WEB.v4}:8080/`)).code, 7, "and it is refused");
      if (signal === "SIGKILL") {
        const left = await network.gateway.run(["pgrep", "-x", "dnsmasq"]);
        assert.equal(left.stdout, "", "its DNS died with it");
        await using successor = await network.network.box();
        await successor.do({ do: "lock" });
        await successor.do({ do: "prepare" });
        await successor.do({ do: "start-lan" });
        assert.match(await network.ask("web.example", "A"), /192\.168\.80\.1\n/);
        await successor.do({ do: "open", grant: GRANT });
        assert.match((await network.fetch(`http://${OFFICE.v4}/`)).stdout, /^office/);
        assert.deepEqual(await network.sentText("internet", died + 3_500), []);
      }
    },
  );
}

labTest("switch: after a clean stop the box still lets nothing out", async () => {
  await using network = await locked();
  await network.box.do({ do: "open", grant: DIRECT });
  await network.box.do({ do: "close" });
  await network.box.do({ do: "stop-lan" });
  await network.terminal.run(["bash", "-c", ATTEMPTS]);
  assert.deepEqual(await network.sentText("internet"), []);
});

labTest("switch: everything through the tunnel (0.0.0.0/0, ::/0) leaves only by it", async () => {
  await using network = await locked();
  const all = { ...GRANT, networks: ["0.0.0.0/0", "::/0"], domains: [] };
  await network.box.do({ do: "open", grant: all });
  assert.equal((await network.fetch(`http://${OFFICE.v4}/`)).stdout, seenBy("office", "10.8.0.2"));
  assert.match(await network.ask("www.office.example"), /10\.0\.0\.80/);
  await network.terminal.sh(`ping -c 1 -W 5 ${BOX.lan}`);
  await network.gateway.sh("ip link del sekisho0");
  await network.terminal.run(["bash", "-c", ATTEMPTS]);
  assert.deepEqual(await network.sentText("internet"), []);
});

/** A network with a locked box on it, servers up, both far sides watched. */
async function locked() {
  const network = await Network.open();
  try {
    await network.serve();
    await network.watch("internet");
    await network.watch("office");
    const box: Box = await network.box();
    await box.do({ do: "lock" });
    await box.do({ do: "prepare" });
    await box.do({ do: "start-lan" });
    return {
      network,
      box,
      terminal: network.terminal,
      gateway: network.gateway,
      fetch: network.fetch.bind(network),
      ask: network.ask.bind(network),
      sent: network.sent.bind(network),
      sentText: network.sentText.bind(network),
      [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
    };
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}

type Locked = Awaited<ReturnType<typeof locked>>;

const seenBy = (side: string, address: string) => `${side} sees ::ffff:${address}\n`;

/** UDP and TCP to the office, to a learned address and to the web, ten times a second. */
function press(ms: number): string {
  const udp = [OFFICE.v4, OFFICE.v6, LEARNED, WEB.v4].map((to) => `printf x > /dev/udp/${to}/9999`);
  const tcp = [OFFICE.v4, WEB.v4].map((to) => `printf x > /dev/tcp/${to}/8080`);
  return `for i in $(seq ${ms / 100}); do ${
    [...udp, ...tcp].join("; ")
  }; sleep 0.1; done 2>/dev/null; true`;
}

/** Packets of the box on the Internet's wire whose destination is one of these. */
async function leftFor(network: Locked, addresses: readonly string[]): Promise<string[]> {
  const packets = await network.sent("internet");
  return packets.filter(({ destination }) => addresses.includes(destination))
    .map(({ kind, source, destination }) => `${kind} ${source} > ${destination}`);
}

async function untilSent(network: Locked, packets: number): Promise<void> {
  while ((await network.sent("office")).length < packets) await sleep(50);
}

async function untilLeft(network: Locked, packets: number): Promise<void> {
  const before = (await network.sent("internet")).length;
  while ((await network.sent("internet")).length < before + packets) await sleep(50);
}

/** Packets with a source that the terminal has no right to. */
async function spoof(terminal: Machine): Promise<void> {
  await terminal.run([
    "bash",
    "-c",
    `
    ip addr add 203.0.113.7/32 dev lo; ip addr add 2001:db8:1::7/128 dev lo
    ping -c 2 -i 0.2 -W 1 -I 203.0.113.7 ${WEB.v4}
    ping -c 2 -i 0.2 -W 1 -I 2001:db8:1::7 ${WEB.v6}
    ip addr del 203.0.113.7/32 dev lo; ip addr del 2001:db8:1::7/128 dev lo`,
  ]);
}

/** One UDP socket of the terminal's that stays open. */
async function talk(machine: Machine, host: string, port: number) {
  const process = await machine.spawn(
    ["bash", "-c", `exec 3<>/dev/udp/${host}/${port}; cat <&3 & exec cat >&3`],
    { stdin: "piped", stdout: "piped" },
  );
  const writer = process.child.stdin.getWriter();
  const reader = process.child.stdout.getReader();
  const tell = (text: string) => writer.write(new TextEncoder().encode(text));
  return {
    tell,
    async say(text: string): Promise<string> {
      await tell(text);
      return new TextDecoder().decode((await reader.read()).value);
    },
    async [Symbol.asyncDispose]() {
      await writer.abort().catch(() => {});
      await reader.cancel().catch(() => {});
      await process.stop();
    },
  };
}
