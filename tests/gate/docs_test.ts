import assert from "node:assert/strict";
import { posix } from "node:path";
import { GatewayConfigSchema } from "../../gateway/config/load.ts";
import { HubConfigSchema } from "../../hub/hub_config.ts";
import { parseConfig } from "../../os/config.ts";
import { walk } from "../runner/files.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const FILES = [...walk(ROOT, "")];
const COUNTS = { G: 8, P: 9, C: 6, S: 7, T: 6, X: 8 };

Deno.test("docs: the guide's configurations are taken as they stand", () => {
  const gateway = tomlOf("docs/guide/administrator.md").replace('"…"', `"${"A".repeat(43)}"`);
  parseConfig(gateway, { name: "administrator.md", schema: GatewayConfigSchema });
  const hub = tomlOf("docs/guide/hub.md").replace('"…"', `"${"A".repeat(43)}="`);
  parseConfig(hub, { name: "hub.md", schema: HubConfigSchema });
});

/** A gateway's configuration that says what it must, and nothing else. */
const LEAST = `
name = "home"
[lan]
interface = "lan0"
address = "192.168.80.1/24"
[internet]
interface = "wan0"
[token]
issuers = ["${"A".repeat(43)}"]
`;

Deno.test("docs: each table of the guide is taken by a gateway that has nothing else", () => {
  const apart = ["docs/guide/administrator.md", "docs/guide/hub.md"];
  const pages = FILES.filter((path) => /^docs\/guide\/.*\.md$/.test(path))
    .filter((path) => !apart.includes(path) && read(path).includes("```toml\n"));
  assert.ok(pages.includes("docs/guide/shared-reader.md"), `${pages}`);
  for (const page of pages) {
    parseConfig(LEAST + tomlOf(page), { name: page, schema: GatewayConfigSchema });
  }
});

Deno.test("docs: each requirement has one row, and what is built or part of it names its proof", () => {
  const rows = [...read("docs/requirements.md").matchAll(/^\| ([A-Z]\d) \|(.*)\|$/gm)];
  const ids = Object.entries(COUNTS).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, i) => `${letter}${i + 1}`)
  );
  assert.deepEqual(rows.map(([, id]) => id), ids);
  for (const [, id, cells = ""] of rows) {
    const [, state = "", where = "", proof = ""] = cells.split("|").map((cell) => cell.trim());
    assert.ok(["built", "part", "open"].includes(state), `${id} is "${state}"`);
    if (state === "open") continue;
    assert.ok(where !== "" && proof !== "", `${id} is ${state} without a place or a proof`);
    for (const [, path = ""] of `${where} ${proof}`.matchAll(/`([^`]+)`/g)) {
      assert.ok(isThere(path), `${id} names ${path}, which isn't there`);
    }
  }
});

Deno.test("docs: each file of the house that a page names is there", () => {
  const house = new Set(
    FILES.filter((path) => path.includes("/")).map((path) => path.split("/")[0]),
  );
  const wrong = FILES.filter((path) => path.endsWith(".md")).flatMap((page) =>
    [...read(page).matchAll(/`([\w.-]+)(\/[\w.*\/-]+)`/g)]
      .filter(([, room = "", rest = ""]) => house.has(room) && !isThere(room + rest))
      .map(([named]) => `${page}: ${named}`)
  );
  assert.deepEqual(wrong, []);
});

Deno.test("docs: links lead somewhere", () => {
  const pages = FILES.filter((path) => path.endsWith(".md"));
  assert.ok(pages.includes("README.md"));
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)#:\s]+)(#[^)]*)?\)/g)]
      .map((link) => posix.join(posix.dirname(page), link[1] ?? ""))
      .filter((target) => !isThere(target))
      .map((target) => `${page}: ${target}`)
  );
  assert.deepEqual(broken, []);
});

function tomlOf(path: string): string {
  const [, block] = /```toml\n([\s\S]*?)```/.exec(read(path)) ?? [];
  assert.ok(block, `${path} has no configuration`);
  return block;
}

function read(path: string): string {
  return Deno.readTextFileSync(`${ROOT}/${path}`);
}

/** A file, a folder with something in it, or with `*` at least one file that matches. */
function isThere(path: string): boolean {
  const plain = path.replace(/\/$/, "");
  const pattern = new RegExp(`^${RegExp.escape(plain).replaceAll("\\*", "[^/]+")}(/|$)`);
  return FILES.some((file) => pattern.test(file));
}
