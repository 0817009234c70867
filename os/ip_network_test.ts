import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import {
  contains,
  formatAddress,
  formatNetwork,
  type IpNetwork,
  parseAddress,
  parseNetwork,
  withoutOverlaps,
} from "./ip_network.ts";

const parse = (text: string): IpNetwork => {
  const network = parseNetwork(text);
  assert.ok(network, text);
  return network;
};

Deno.test("ip network: texts and their canonical form", () => {
  const table: [string, string][] = [
    ["10.1.2.3/8", "10.0.0.0/8"],
    ["192.0.2.7", "192.0.2.7"],
    ["192.0.2.7/32", "192.0.2.7"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["2001:DB8:0:0:0:0:0:1/32", "2001:db8::/32"],
    ["::/0", "::/0"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
    ["fd00:1:2:3:4:5:6:7/63", "fd00:1:2:2::/63"],
  ];
  for (const [text, canonical] of table) assert.equal(formatNetwork(parse(text)), canonical);
});

Deno.test("ip network: what is none", () => {
  const none = ["", "10.0.0", "10.0.0.256", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "::/129"];
  for (const text of [...none, "fe80::1%eth0", "a.example", "10.0.0.0/8/8", "::1/", "1::2::3"]) {
    assert.equal(parseNetwork(text), undefined, text);
  }
});

Deno.test("ip network: every address survives text", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );
  fc.assert(fc.property(bytes, (address) => {
    assert.deepEqual(parseAddress(formatAddress(address)), address);
  }));
});

Deno.test("ip network: containment, also across a byte", () => {
  const table: [string, string, boolean][] = [
    ["10.0.0.0/8", "10.2.0.0/16", true],
    ["10.2.0.0/16", "10.0.0.0/8", false],
    ["10.0.0.0/9", "10.128.0.0/9", false],
    ["0.0.0.0/0", "::1", false],
    ["fd00::/7", "fcff::1", true],
    ["192.0.2.0/31", "192.0.2.1", true],
    ["192.0.2.0/31", "192.0.2.2", false],
  ];
  for (const [outer, inner, is] of table) {
    assert.equal(contains(parse(outer), parse(inner)), is, `${outer} ${inner}`);
  }
});

Deno.test("ip network: overlaps go, the widest stay", () => {
  const given = ["10.2.0.0/16", "10.0.0.0/8", "10.0.0.0/8", "::/0", "fd00::1", "192.0.2.1"];
  assert.deepEqual(withoutOverlaps(given.map(parse)).map(formatNetwork), [
    "10.0.0.0/8",
    "::/0",
    "192.0.2.1",
  ]);
});

Deno.test("ip network: what is left covers the same, and nothing twice", () => {
  const network = fc.tuple(
    fc.constantFrom("10.0.0.0", "10.0.0.128", "10.0.1.0", "fd00::", "::"),
    fc.integer({ min: 0, max: 32 }),
  ).map(([address, prefix]) => parse(`${address}/${prefix}`));
  fc.assert(fc.property(fc.array(network, { maxLength: 12 }), (given) => {
    const left = withoutOverlaps(given);
    for (const one of given) assert.ok(left.some((other) => contains(other, one)));
    for (const one of left) {
      assert.equal(left.filter((other) => contains(other, one)).length, 1);
    }
  }));
});

Deno.test("an address is what node:net calls one, without zones", () => {
  const character = fc.constantFrom(..."0123456789abcdefABCDEF:.:.:.::%[]/@ xg#?\\\t");
  const near = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 3, maxLength: 5 })
      .map((numbers) => numbers.join(".")),
    fc.array(fc.constantFrom("", "0", "1", "ffff", "10000", "01.2.3.4", "1.2.3.4"), {
      maxLength: 10,
    })
      .map((groups) => groups.join(":")),
  );
  const text = fc.tuple(near, fc.array(fc.tuple(fc.nat(45), character), { maxLength: 2 }))
    .map(([start, changes]) => {
      const letters = [...start];
      for (const [at, letter] of changes) letters[at % (letters.length + 1)] = letter;
      return letters.join("");
    });
  fc.assert(
    fc.property(text, (text) => {
      const expected = isIPv4(text) ? 4 : isIPv6(text) && !text.includes("%") ? 16 : undefined;
      assert.equal(parseAddress(text)?.length, expected, text);
    }),
    { numRuns: 20_000 },
  );
});
