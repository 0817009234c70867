import assert from "node:assert/strict";
import fc from "fast-check";
import { formatNetwork } from "../../os/ip_network.ts";
import { LONGEST_INBOUND_RULE, parseInboundRule } from "./inbound.ts";

Deno.test("inbound rules: protocol, ports and who may begin", () => {
  const table: [
    text: string,
    protocol: string,
    ports: [number, number] | undefined,
    from: string,
  ][] = [
    ["tcp/8080@10.20.0.0/16", "tcp", [8080, 8080], "10.20.0.0/16"],
    ["udp/5000-5010@10.20.0.7", "udp", [5000, 5010], "10.20.0.7"],
    ["tcp/1-65535@0.0.0.0/0", "tcp", [1, 65535], "0.0.0.0/0"],
    ["icmp@fd20::/64", "icmp", undefined, "fd20::/64"],
    ["tcp/443@FD20::7", "tcp", [443, 443], "fd20::7"],
  ];
  for (const [text, protocol, ports, from] of table) {
    const rule = parseInboundRule(text);
    assert.ok(rule !== undefined, text);
    assert.equal(rule.protocol, protocol);
    assert.equal(formatNetwork(rule.from), from);
    const range = rule.protocol === "icmp" ? undefined : [rule.ports.first, rule.ports.last];
    assert.deepEqual(range, ports);
  }
});

Deno.test("inbound rules: what is none", () => {
  const texts = [
    ...["", "tcp", "tcp/80", "tcp@10.0.0.0/8", "icmp/8@10.0.0.0/8", "sctp/80@10.0.0.0/8"],
    ...["tcp/0@10.0.0.0/8", "tcp/65536@10.0.0.0/8", "tcp/080@10.0.0.0/8", "tcp/9-8@10.0.0.0/8"],
    ...["tcp/1-@10.0.0.0/8", "tcp/-1@10.0.0.0/8", "tcp/80,81@10.0.0.0/8", "tcp/80@10.0.0.1/8"],
    ...["tcp/80@10.0.0.0/33", "tcp/80@office", "tcp/80@10.0.0.0/8 ", "TCP/80@10.0.0.0/8"],
    ...["tcp/80@10.0.0.0/8\n", "tcp/80@fe80::1%1", "icmp@", "icmp@10.0.0.0/8@10.0.0.0/8"],
  ];
  for (const text of texts) assert.equal(parseInboundRule(text), undefined, JSON.stringify(text));
});

Deno.test("inbound rules: any text is a rule within bounds or none", () => {
  const part = fc.oneof(
    fc.constantFrom("tcp/", "udp/", "icmp", "@", "-", "10.0.0.0/8", "fd00::/8"),
    fc.nat(70_000).map(String),
    fc.string({ maxLength: 3 }),
  );
  fc.assert(fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
    const text = parts.join("");
    const rule = parseInboundRule(text);
    if (rule === undefined) return;
    assert.ok(text.length <= LONGEST_INBOUND_RULE);
    if (rule.protocol === "icmp") return;
    assert.ok(rule.ports.first >= 1 && rule.ports.first <= rule.ports.last);
    assert.ok(rule.ports.last <= 65_535);
  }));
});
