import assert from "node:assert/strict";
import { UsageError } from "./errors.ts";
import { readOptions } from "./options.ts";

const shape = { flags: { trust: "list", reader: "text", json: "flag" }, positionals: 1 } as const;

Deno.test("an issuer's key may begin with dashes, as one in 64 does", () => {
  for (const key of [`-${"A".repeat(42)}`, `--${"b".repeat(41)}`, `-${"-_9".repeat(14)}`]) {
    const given = readOptions(["FILE", "--trust", key, "--json"], shape);
    assert.ok(given !== "help");
    assert.deepEqual(given.list("trust"), [key]);
    assert.deepEqual([given.positionals, given.flag("json")], [["FILE"], true]);
  }
});

Deno.test("an option is not taken for the value of the one before it", () => {
  for (const args of [["--trust", "--json"], ["--reader", "-x"], ["--reader", "--trust"]]) {
    assert.throws(() => readOptions(args, shape), UsageError, args.join(" "));
  }
  assert.equal(readOptions(["--json", "-h"], shape), "help");
});
