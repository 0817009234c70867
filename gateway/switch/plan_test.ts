import assert from "node:assert/strict";
import fc from "fast-check";
import type { SessionGrant } from "./grant.ts";
import { viewInbound } from "./inbound.ts";
import { DROP_REASONS, planRefresh, planRuleset, planSuspension, sessionMark } from "./plan.ts";
import type { SwitchConfig } from "./scope.ts";

const CONFIG: SwitchConfig = {
  lan: { interface: "lan0", address: "192.168.80.1/24", address6: "fd80::1/64" },
  internet: { interface: "wan0", dns: ["203.0.113.53", "2001:db8::53"] },
  portal: { httpPort: 80, httpsPort: 443 },
  panel: { host: "192.168.80.1", port: 8443 },
};

const GRANT: SessionGrant = {
  interface: "sekisho0",
  addresses: ["10.8.0.2/32", "fd08::2/128"],
  networks: ["10.0.0.0/8", "fd00:1::/32"],
  domains: ["office.example"],
  dns: ["10.0.0.53"],
  otherTraffic: "drop",
  mtu: 1420,
};

const LISTENING = { port: 51820, peers: ["192.0.2.1", "2001:db8::1"] };

/** A plan without indentation, and the lines of one of its blocks. */
function planOf(
  input: { grant?: SessionGrant; config?: Partial<SwitchConfig>; dnsGroup?: number },
) {
  const text = planRuleset({ ...input, config: { ...CONFIG, ...input.config } });
  return {
    text: text.replaceAll("\t", ""),
    block: (head: string): string[] => {
      const lines = text.replaceAll("\t", "").split("\n");
      const start = lines.indexOf(`${head} {`);
      assert.ok(start >= 0, `${head} is in the plan`);
      return lines.slice(start + 1, lines.indexOf("}", start));
    },
  };
}

Deno.test("switch plan: one transaction that replaces the whole table", () => {
  const { text } = planOf({});
  assert.ok(
    text.startsWith("add table inet sekisho\ndelete table inet sekisho\ntable inet sekisho {\n"),
  );
  for (const reason of DROP_REASONS) assert.ok(text.includes(`counter ${reason} { }`), reason);
});

Deno.test("switch plan: what a session changes, block by block", () => {
  const direct: SessionGrant = { ...GRANT, otherTraffic: "direct" };
  const table: [grant: SessionGrant | undefined, block: string, has: string, is: boolean][] = [
    // Locked: no way out in any block.
    [undefined, "chain outward", "goto refuse", true],
    [undefined, "chain outward", "goto pass_out", false],
    [undefined, "chain inward", "goto pass_in", false],
    [undefined, "chain marking", "@destinations4", false],
    [undefined, "chain redirecting", "th dport 53 ct mark set 0x5e62 redirect to :53", true],
    [undefined, "chain redirecting", "tcp dport 80  redirect to :80", false],
    [undefined, "chain redirecting", "tcp dport 80 redirect to :80", true],
    [undefined, "chain deciding", "goto refuse", true],
    [undefined, "chain deciding", "meta mark set 0x5e63", false],
    [undefined, "set alive", "elements", false],
    [undefined, "chain refuse", `meta nfproto ipv6 counter name "ipv6" goto answer`, true],
    [undefined, "chain refuse", `counter name "terminal-to-outside" goto answer`, true],
    // Up: the profile's destinations by the tunnel, others refused.
    [GRANT, "set destinations4", "elements = { 10.0.0.0/8 }", true],
    [GRANT, "set destinations6", "elements = { fd00:1::/32 }", true],
    [GRANT, "chain outward", `meta nfproto ipv4 oifname "sekisho0" goto pass_out`, true],
    [GRANT, "chain outward", `meta nfproto ipv6 oifname "sekisho0" goto pass_out`, true],
    [GRANT, "chain outward", "@alive", false],
    [GRANT, "chain inward", `iifname "sekisho0" ct state established,related goto pass_in`, true],
    [GRANT, "chain inward", "wan0", false],
    // The mark that the routes ask for: for answers, and for what a session lets out directly.
    [
      GRANT,
      "chain deciding",
      `iifname "sekisho0" ct mark 0x5e62 meta mark set 0x5e63 accept`,
      true,
    ],
    [GRANT, "chain deciding", "wan0", false],
    [GRANT, "chain redirecting", "redirect to :5380", true],
    [GRANT, "chain redirecting", "tcp dport 80 fib daddr type local redirect to :80", true],
    [GRANT, "chain refuse", `counter name "not-in-profile" goto answer`, true],
    [GRANT, "chain masking", `oifname "sekisho0" meta nfproto ipv4 snat ip to 10.8.0.2`, true],
    [GRANT, "chain masking", `oifname "sekisho0" meta nfproto ipv6 snat ip6 to fd08::2`, true],
    [GRANT, "chain masking", "masquerade", false],
    [GRANT, "set alive", "elements", false],
    [GRANT, "chain forwarding", "maxseg size > 1380 tcp option maxseg size set 1380", true],
    [GRANT, "chain forwarding", "maxseg size > 1360 tcp option maxseg size set 1360", true],
    // Direct: only while the gateway lives.
    [direct, "set alive", `elements = { "wan0" timeout 3s }`, true],
    [direct, "chain outward", "oifname @alive goto pass_out", true],
    [direct, "chain inward", `iifname "wan0" ct state established,related goto pass_in`, true],
    [direct, "chain masking", `oifname "wan0" masquerade`, true],
    [direct, "chain deciding", "th dport 853 goto refuse", true],
    [direct, "chain deciding", `iifname "wan0" ct mark 0x5e62 meta mark set 0x5e63 accept`, true],
    // A family without an address in the tunnel doesn't use it, nor anything else.
    [{ ...GRANT, addresses: ["10.8.0.2"] }, "chain outward", "ipv6 oifname", false],
    [{ ...GRANT, addresses: ["10.8.0.2"] }, "chain masking", "snat ip6", false],
    // A resolver behind the tunnel is a destination; networks inside others are not listed twice.
    [{ ...GRANT, networks: [] }, "set destinations4", "elements = { 10.0.0.53 }", true],
    [
      { ...GRANT, networks: ["10.1.0.0/16", "10.0.0.0/8"] },
      "set destinations4",
      "elements = { 10.0.0.0/8 }",
      true,
    ],
    // Where nothing may be begun, the peer doesn't speak first.
    [{ ...GRANT, listening: LISTENING }, "chain from_internet", "udp dport 51820", false],
  ];
  for (const [grant, block, has, is] of table) {
    const lines = planOf(grant === undefined ? {} : { grant }).block(block);
    const found = lines.some((line) => line.includes(has));
    assert.equal(
      found,
      is,
      `${grant?.otherTraffic ?? "locked"}: ${block}: ${has}\n${lines.join("\n")}`,
    );
  }
});

Deno.test("switch plan: each ruleset has a mark of its own, and lets nothing of another's pass", () => {
  const marks = [0, 1, 2, 65_535, 65_536].map(sessionMark);
  assert.deepEqual(marks, [0x5e62, 0x15e62, 0x25e62, 0xffff5e62, 0x5e62]);
  const grant = { ...GRANT, inbound: ["tcp/8080@10.1.0.0/16", "icmp@10.0.0.0/8"] };
  const plan = planRuleset({ config: { ...CONFIG, inbound: INBOUND }, grant, number: 2 });
  const others = plan.replaceAll("ct mark & 0xffff == 0x5e62", "").matchAll(/ct mark .*?(0x\w+)/g);
  assert.deepEqual(new Set([...others].map(([, mark]) => mark)), new Set(["0x25e62"]));
  assert.match(plan, /chain pass_out \{\n\s*ct mark & 0xffff == 0x5e62 ct mark != 0x25e62 drop\n/);
});

Deno.test("switch plan: an outward packet never passes for being of a known connection", () => {
  for (const otherTraffic of ["drop", "direct"] as const) {
    const plan = planOf({ grant: { ...GRANT, otherTraffic } });
    for (const block of ["chain outward", "chain deciding", "chain forwarding"]) {
      assert.ok(!plan.block(block).some((line) => line.includes("ct state")), block);
    }
    const outward = plan.block("chain outward");
    const tunnelOnly = outward.findIndex((line) => line.includes("tunnel-down"));
    const direct = outward.findIndex((line) => line.includes("@alive"));
    assert.ok(
      direct === -1 || tunnelOnly < direct,
      "marked packets are gone before direct ones go",
    );
    assert.equal(outward.at(-1), "goto refuse");
  }
  assert.match(planOf({}).block("chain forwarding")[0] ?? "", /hook forward .* policy drop;/);
  assert.match(planOf({}).block("chain entering")[0] ?? "", /hook input .* policy drop;/);
});

Deno.test("switch plan: a suspension changes what is said to who is refused, nothing else", () => {
  assert.equal(
    planSuspension(true),
    [
      "flush chain inet sekisho answer",
      "add rule inet sekisho answer drop",
      "",
    ].join("\n"),
  );
  const back = planOf({}).block("chain answer").map((rule) =>
    `add rule inet sekisho answer ${rule}`
  );
  assert.equal(planSuspension(false), ["flush chain inet sekisho answer", ...back, ""].join("\n"));
});

const INBOUND: NonNullable<SwitchConfig["inbound"]> = {
  ping: true,
  forward: [
    { protocol: "tcp", port: 8080, terminal: "192.168.80.50", terminalPort: 80 },
    { protocol: "tcp", port: 8080, terminal: "fd80::50", terminalPort: 80 },
    { protocol: "udp", port: 5060, terminal: "192.168.80.51", terminalPort: 5060 },
  ],
};

Deno.test("switch plan: what is begun through the tunnel needs profile and configuration", () => {
  const grant = {
    ...GRANT,
    inbound: ["tcp/8000-8090@10.1.0.0/16", "tcp/8080@fd00:1::7", "icmp@10.0.0.0/8"],
    listening: LISTENING,
  };
  const plan = planOf({ grant, config: { inbound: INBOUND } });
  assert.deepEqual(plan.block("chain arriving"), [
    "ip saddr 10.1.0.0/16 ip daddr 10.8.0.2 tcp dport 8080 ct mark set 0x5e62 " +
    "dnat ip to 192.168.80.50:80",
    "ip6 saddr fd00:1::7 ip6 daddr fd08::2 tcp dport 8080 ct mark set 0x5e62 " +
    "dnat ip6 to [fd80::50]:80",
    "accept",
  ]);
  assert.equal(plan.block("chain redirecting")[1], `iifname "sekisho0" goto arriving`);
  assert.ok(
    plan.block("chain inward")[0]?.startsWith(
      `iifname "sekisho0" ct mark 0x5e62 ct status dnat ip saddr 10.1.0.0/16 ` +
        "ip daddr 192.168.80.50 tcp dport 80 goto pass_in",
    ),
  );
  assert.ok(
    plan.block("chain marking").includes(
      "ct mark 0x5e62 ct direction reply ct status dnat ip saddr 192.168.80.50 " +
        "ip daddr 10.1.0.0/16 tcp sport 80 meta mark set 0x5e61",
    ),
  );
  assert.ok(
    plan.block("chain from_tunnel").includes(
      "ip saddr 10.0.0.0/8 ip daddr 10.8.0.2 icmp type echo-request ct mark set 0x5e62 accept",
    ),
  );
  assert.deepEqual(
    plan.block("chain from_internet").filter((line) => line.includes("51820")),
    [
      "ip saddr { 192.0.2.1 } udp dport 51820 accept",
      "ip6 saddr { 2001:db8::1 } udp dport 51820 accept",
    ],
  );
  assert.match(plan.block("chain answering")[0] ?? "", /^type route hook output /);
  // Either of the two alone, another port, another family, or no session: nothing of it.
  const nothing: [SessionGrant | undefined, SwitchConfig["inbound"]][] = [
    [grant, undefined],
    [{ ...GRANT, listening: LISTENING }, INBOUND],
    [{ ...grant, inbound: ["tcp/8081@10.1.0.0/16", "udp/5060@fd00:1::7"] }, INBOUND],
    [{ ...grant, inbound: ["icmp@10.0.0.0/8"] }, { ...INBOUND, ping: false }],
    [{ ...grant, addresses: [] }, INBOUND],
    [undefined, INBOUND],
  ];
  for (const [grant, inbound] of nothing) {
    const { text } = planOf({
      ...(grant === undefined ? {} : { grant }),
      config: inbound === undefined ? {} : { inbound },
    });
    const open = /dnat|51820|echo-reply|echo-request ct mark|ct direction/.exec(text);
    assert.equal(open, null, JSON.stringify([grant?.inbound, inbound]));
  }
});

Deno.test("switch plan: who is reached by each rule of the profile", () => {
  const inbound = ["tcp/8080@10.1.0.0/16", "tcp/9@10.1.0.0/16", "icmp@fd00:1::/32"];
  assert.deepEqual(viewInbound(INBOUND, { ...GRANT, inbound }), [
    { rule: "tcp/8080@10.1.0.0/16", to: ["192.168.80.50:80"] },
    { rule: "tcp/9@10.1.0.0/16", to: [] },
    { rule: "icmp@fd00:1::/32", to: ["fd08::2"] },
  ]);
  assert.deepEqual(viewInbound(undefined, { ...GRANT, inbound }).flatMap(({ to }) => to), []);
  assert.deepEqual(viewInbound(INBOUND, GRANT), []);
});

Deno.test("switch plan: the box's own DNS is held to the session", () => {
  assert.ok(!planOf({}).text.includes("skgid"));
  const locked = planOf({ dnsGroup: 30 });
  assert.deepEqual(locked.block("chain asking"), [`counter name "dns" drop`]);
  assert.ok(
    locked.block("chain leaving").includes(
      `meta skgid 30 oifname != { "lan0", "lo" } goto asking`,
    ),
  );
  const direct = planOf({ dnsGroup: 30, grant: { ...GRANT, otherTraffic: "direct" } });
  assert.deepEqual(direct.block("chain asking"), [
    "oifname @alive ip daddr { 203.0.113.53 } meta l4proto { tcp, udp } th dport 53 accept",
    "oifname @alive ip6 daddr { 2001:db8::53 } meta l4proto { tcp, udp } th dport 53 accept",
    `counter name "dns" drop`,
  ]);
});

Deno.test("switch plan: the Internet isn't told that nobody listens, but learns sizes that fit", () => {
  const leaving = planOf({}).block("chain leaving");
  assert.deepEqual(leaving.slice(1, 4), [
    `oifname "wan0" icmp type destination-unreachable icmp code != frag-needed drop`,
    `oifname "wan0" icmp type { time-exceeded, parameter-problem } drop`,
    `oifname "wan0" icmpv6 type { destination-unreachable, time-exceeded, parameter-problem } drop`,
  ]);
  assert.ok(!planOf({}).text.includes("chain answering"));
  const up = planOf({ grant: GRANT });
  assert.deepEqual(up.block("chain answering").slice(0, 3), [
    "type route hook output priority mangle; policy accept;",
    `oifname { "lan0", "lo" } accept`,
    "icmp type { destination-unreachable, time-exceeded, parameter-problem } " +
    "ip daddr @destinations4 meta mark set 0x5e61",
  ]);
  assert.equal(
    up.block("chain leaving")[1],
    "meta l4proto { icmp, ipv6-icmp } meta mark 0x5e61 accept",
  );
});

Deno.test("switch plan: other ports and a LAN without IPv6", () => {
  const plan = planOf({
    config: {
      portal: { httpPort: 8080, httpsPort: 8444 },
      panel: { host: "192.168.80.1", port: 9443 },
      lan: { interface: "lan0", address: "192.168.80.1/24" },
    },
  });
  assert.ok(plan.block("chain from_lan").includes("tcp dport { 8080, 8444, 9443 } accept"));
  assert.ok(
    plan.block("chain redirecting").includes(
      "fib daddr type local tcp dport 443 redirect to :8444",
    ),
  );
  assert.ok(plan.block("set lan6").includes("elements = { fe80::/10 }"));
});

Deno.test("switch plan: text that is no address or interface never gets into a ruleset", () => {
  const bad: Partial<SessionGrant>[] = [
    { interface: `x" accept; "` },
    { interface: "" },
    { interface: "a-name-that-is-too-long" },
    { networks: ["10.0.0.0/8 }\n"] },
    { networks: ["office.example"] },
    { addresses: ["10.8.0.2/33"] },
    { dns: ["10.0.0.53; accept"] },
    { inbound: ["tcp/80@10.0.0.0/8; accept"] },
    {
      inbound: ["icmp@10.0.0.0/8"],
      listening: { port: 1, peers: ["192.0.2.1 } accept"] },
    },
  ];
  for (const part of bad) {
    const input = { grant: { ...GRANT, ...part }, config: { inbound: INBOUND } };
    assert.throws(() => planOf(input), TypeError, JSON.stringify(part));
  }
  fc.assert(fc.property(fc.string(), (text) => {
    try {
      const plan = planOf({ grant: { ...GRANT, networks: [text] } });
      assert.match(
        plan.block("set destinations4").join() + plan.block("set destinations6").join(),
        /^[\w ,;={}.:/]*$/,
      );
    } catch (error) {
      assert.ok(error instanceof TypeError, String(error));
    }
  }));
});

Deno.test("switch plan: refreshing makes the guard's element anew in one transaction", () => {
  assert.equal(
    planRefresh(CONFIG),
    'add element inet sekisho alive { "wan0" timeout 3s }\n' +
      'delete element inet sekisho alive { "wan0" }\n' +
      'add element inet sekisho alive { "wan0" timeout 3s }\n',
  );
});
