import assert from "node:assert/strict";
import { formatEndpoint, formatPrefix, parseEndpoint, parsePrefix } from "./address.ts";

Deno.test("endpoints, there and back", () => {
  for (
    const text of [
      "192.0.2.1:51820",
      "255.255.255.255:1",
      "[2001:db8::1]:65535",
      "[::]:0",
      "[fe80::1%1]:51820",
    ]
  ) {
    const endpoint = parseEndpoint(text);
    assert.ok(endpoint !== undefined, text);
    assert.equal(formatEndpoint(endpoint), text);
  }
  const local = parseEndpoint("[fe80::1%lo]:5");
  assert.equal(local?.words[5], 1);
});

Deno.test("what is no endpoint", () => {
  for (
    const text of [
      ...["", "192.0.2.1", ":1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.256:1", "host:1"],
      ...["2001:db8::1:51820", "[192.0.2.1]:1", "[::1]", "[::1]:x", "192.0.2.1:1 ", "[fe80::1%]:1"],
      ...["[fe80::1%no-such-one]:1", "1.2.3.4:-1", "[[::1]]:1"],
    ]
  ) assert.equal(parseEndpoint(text), undefined, text);
});

Deno.test("prefixes lose their host bits and keep their length", () => {
  const cases: Readonly<Record<string, string>> = {
    "10.1.2.3/8": "10.0.0.0/8",
    "10.1.2.3": "10.1.2.3/32",
    "0.0.0.0/0": "0.0.0.0/0",
    "255.255.255.255/1": "128.0.0.0/1",
    "fd07::1": "fd07::1/128",
    "2001:db8:ffff:ffff::1/33": "2001:db8:8000::/33",
    "::/0": "::/0",
  };
  for (const [text, expected] of Object.entries(cases)) {
    const prefix = parsePrefix(text);
    assert.ok(prefix !== undefined, text);
    assert.equal(formatPrefix(prefix), expected);
  }
  for (const text of ["", "10.0.0.0/33", "fd00::/129", "10.0.0/8", "x", "10.0.0.0/-1", "::/"]) {
    assert.equal(parsePrefix(text), undefined, text);
  }
});
