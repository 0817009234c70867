import assert from "node:assert/strict";
import * as v from "valibot";
import { ConfigError, loadConfig, parseConfig } from "./config.ts";

const Schema = v.strictObject({
  name: v.pipe(v.string(), v.nonEmpty(), v.description("a name")),
  port: v.optional(v.pipe(v.number(), v.integer(), v.maxValue(65535), v.description("a port")), 7),
  wire: v.optional(v.strictObject({ mtu: v.number() })),
  client: v.optional(v.array(v.strictObject({ name: v.string() })), []),
});

Deno.test("configuration: what the schema promises comes out, defaults filled in", () => {
  const text = `name = "x"\n[[client]]\nname = "a"\n`;
  assert.deepEqual(parseConfig(text, { name: "f", schema: Schema }), {
    name: "x",
    port: 7,
    client: [{ name: "a" }],
  });
});

Deno.test("configuration: every fault is one line with file, key and what is expected", () => {
  const table: [string, RegExp][] = [
    ["", /^Cannot use f\.toml: name is missing; expected a name$/],
    [`name = ""`, /name: expected a name, not ""$/],
    ["name = 5", /name: expected a name, not 5$/],
    [`name = "x"\nport = "80"`, /port: expected a port, not "80"$/],
    [`name = "x"\nport = 70000`, /port: expected a port, not 70000$/],
    [`name = "x"\nprot = 80`, /prot is no key that is known here; remove it$/],
    [`name = "x"\n[wire]\nmtu = true`, /wire\.mtu: expected number, not true$/],
    [`name = "x"\n[wire]`, /wire\.mtu is missing; expected number$/],
    [`name = "x"\n[[client]]\nname="a"\n[[client]]\nnam="b"`, /client\[2\]\.name is missing/],
    ["name = ", /^Cannot read f\.toml: line 1: not TOML: /],
    [`a = 1\na = 2`, /^Cannot read f\.toml: line 2: not TOML: /],
  ];
  for (const [text, expected] of table) {
    assert.throws(
      () => parseConfig(text, { name: "f.toml", schema: Schema }),
      (error) =>
        error instanceof ConfigError && expected.test(error.message) &&
        !error.message.includes("\n"),
      text,
    );
  }
});

Deno.test("configuration: a file that can't be read says why", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const refused = (path: string, message: RegExp) =>
      assert.rejects(loadConfig(path, Schema), { name: "ConfigError", message });
    await refused(`${folder}/none.toml`, /Cannot read .*none\.toml: there is no such file/);
    await refused(folder, /it is a folder/);
    await Deno.writeFile(`${folder}/latin.toml`, Uint8Array.of(0x6e, 0xff));
    await refused(`${folder}/latin.toml`, /not UTF-8/);
    await Deno.writeFile(`${folder}/big.toml`, new Uint8Array((1 << 20) + 1));
    await refused(`${folder}/big.toml`, /more than 1 MiB/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a file without an end is too large, and a table is called a table", async () => {
  await assert.rejects(loadConfig("/dev/zero", v.object({})), {
    message: "Cannot read /dev/zero: it has more than 1 MiB; name the right file",
  });
  const schema = v.strictObject({ lan: v.strictObject({ interface: v.string() }) });
  assert.throws(() => parseConfig("lan = 5", { name: "f", schema }), {
    message: "Cannot use f: lan: expected a table, not 5",
  });
});
