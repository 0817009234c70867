import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { migrate, MIGRATIONS, versionOf } from "./migrate.ts";
import { MOST_PASSKEYS } from "../../token/profile/limits.ts";
import { formatPasskey } from "../../token/profile/passkeys.ts";
import { openStore } from "./store.ts";

async function withDir(run: (dir: string) => Promise<void> | void): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("store: what was written is there after a restart, and only its owner can read it", () =>
  withDir(async (dir) => {
    const first = openStore(`${dir}/state`);
    const key = first.settings.cookieKey();
    assert.equal(key.length, 32);
    assert.equal(first.settings.hasAdminPassword(), false);
    assert.equal(await first.settings.checkAdminPassword(""), false);
    await first.settings.setAdminPassword("correct horse");
    first.generations.seen("p1", 7);
    first.generations.seen("p1", 3);
    const entry = first.journal.record("info", "card-inserted", { reader: "R", slot: 0 });
    for (const name of ["gateway.db", "gateway.db-wal"]) {
      assert.equal((Deno.statSync(`${dir}/state/${name}`).mode ?? 0) & 0o777, 0o600, name);
    }
    first.close();

    const second = openStore(`${dir}/state`);
    assert.deepEqual(second.settings.cookieKey(), key);
    assert.equal(await second.settings.checkAdminPassword("correct horse"), true);
    assert.equal(await second.settings.checkAdminPassword("correct  horse"), false);
    assert.equal(second.generations.highest("p1"), 7);
    assert.equal(second.generations.highest("p2"), 0);
    assert.deepEqual(second.journal.read({}), [entry]);
    assert.equal(second.journal.record("error", "x", {}).id, entry.id + 1);
    second.close();
  }));

Deno.test("store: the password is stored as a salted hash only", () =>
  withDir(async (dir) => {
    const store = openStore(dir);
    await store.settings.setAdminPassword("correct horse");
    store.close();
    const text = new TextDecoder("latin1").decode(await Deno.readFile(`${dir}/gateway.db`));
    assert.ok(text.includes("scrypt$32768$8$1$"));
    assert.ok(!text.includes("correct horse"));
  }));

Deno.test("store: the journal is read in pages, newest first, and bounded", () =>
  withDir((dir) => {
    let clock = 1000;
    const store = openStore(dir, { now: () => clock++, maxEntries: 300 });
    for (let i = 1; i <= 1000; i++) store.journal.record("info", `e${i}`, { i });
    const page = store.journal.read({ limit: 3 });
    assert.deepEqual(page.map(({ event }) => event), ["e1000", "e999", "e998"]);
    assert.equal(page[0]?.at, 1999);
    assert.deepEqual(
      store.journal.read({ before: page[2]?.id ?? 0, limit: 2 }).map(({ event }) => event),
      ["e997", "e996"],
    );
    assert.equal(store.journal.read({ limit: 5000 }).length, 200);
    assert.equal(store.journal.read({ limit: -1 }).length, 1);
    const db = new DatabaseSync(`${dir}/gateway.db`, { readOnly: true });
    const count = Number(db.prepare("SELECT count(*) AS n FROM journal").get()?.["n"]);
    db.close();
    assert.ok(count >= 300 && count <= 300 + 256, `${count} entries kept`);
    store.close();
  }));

Deno.test("store: migrations run once, in order, each whole or not at all", () => {
  const db = new DatabaseSync(":memory:");
  const one = { version: 1, sql: "CREATE TABLE a (x INTEGER) STRICT" };
  const two = { version: 2, sql: "CREATE TABLE b (x INTEGER) STRICT; INSERT INTO a VALUES (1)" };
  const bad = { version: 3, sql: "CREATE TABLE c (x INTEGER) STRICT; INSERT INTO none VALUES (1)" };
  migrate(db, [one]);
  assert.equal(versionOf(db), 1);
  assert.throws(() => migrate(db, [one, two, bad]), /none/);
  assert.equal(versionOf(db), 2, "the good step stays, the bad one is undone");
  const tables = db.prepare("SELECT name FROM sqlite_schema ORDER BY name").all();
  assert.deepEqual(tables.map(({ name }) => name), ["a", "b"]);
  migrate(db, [one, two]);
  assert.equal(db.prepare("SELECT count(*) AS n FROM a").get()?.["n"], 1);
  assert.throws(() => migrate(db, [one]), /has version 2 and this program knows 1/);
  db.close();
});

Deno.test("store: this program's migrations are numbered without gaps and make strict tables", () => {
  assert.deepEqual(MIGRATIONS.map(({ version }) => version), MIGRATIONS.map((_, i) => i + 1));
  const db = new DatabaseSync(":memory:");
  migrate(db);
  const tables = db.prepare("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")
    .all().filter(({ name }) => !String(name).startsWith("sqlite_"));
  assert.ok(tables.length >= 3);
  for (const { name, strict } of tables) assert.equal(strict, 1, String(name));
  db.close();
});

Deno.test("store: a damaged file is told in one line", () =>
  withDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/gateway.db`, "this is no database".repeat(100));
    assert.throws(() => openStore(dir), /^Error: Cannot open the store .*gateway\.db: [^\n]+$/);
  }));

Deno.test("store: a token's passkeys are kept across restarts, those of earlier issues go", () =>
  withDir((dir) => {
    const word = (name: string, { issue = 1, body = 1 } = {}) =>
      formatPasskey(
        { name, body: new Uint8Array(32).fill(body) },
        new Uint8Array(16).fill(issue),
      );
    const first = openStore(dir, { now: () => 7 });
    assert.deepEqual(first.passkeys.of("a"), []);
    first.passkeys.keep("a", word("phone"));
    first.passkeys.keep("a", word("key", { body: 2 }));
    first.passkeys.keep("b", word("other", { issue: 2 }));
    assert.throws(() => first.passkeys.keep("a", "passkey1.x"), /it is none/);
    assert.throws(() => first.passkeys.keep("a", word("phone")), /UNIQUE/);
    first.close();
    const store = openStore(dir);
    assert.deepEqual(store.passkeys.of("a").map(({ name }) => name), ["phone", "key"]);
    assert.deepEqual(store.passkeys.all()[0], {
      ...{ cardId: "a", name: "phone", addedAt: 7, word: word("phone") },
    });
    assert.ok(store.passkeys.forget(word("phone")));
    assert.ok(!store.passkeys.forget(word("phone")));
    store.passkeys.keep("a", word("new", { issue: 3 }));
    assert.deepEqual(store.passkeys.of("a").map(({ name }) => name), ["new"], "issued anew");
    assert.equal(store.passkeys.of("b").length, 1);
    for (let body = 2; body <= MOST_PASSKEYS; body++) {
      store.passkeys.keep("a", word("more", { issue: 3, body }));
    }
    assert.throws(() => store.passkeys.keep("a", word("x", { issue: 3, body: 99 })), /there are 8/);
    store.close();
  }));
