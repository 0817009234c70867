/** What libcrypto keeps of keys, looked for in the memory of a process that uses it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { NATIVE_CRYPTOS } from "../../tunnel/protocol/every_crypto.ts";
import { readSecretMemory, searchMemory } from "../lab/memory_search.ts";
import { labTest } from "../lab/needs.ts";
import { lines } from "../story/lines.ts";

const PROGRAM = fileURLToPath(import.meta.resolve("./libcrypto_keys_program.ts"));

for (const { name } of NATIVE_CRYPTOS) {
  const choice = name === "libcrypto" ? "libcrypto" : "fastest";
  labTest(`${name} holds an identity in locked memory, and no key once it is let go`, async () => {
    const [identity, session] = [randomKey(), randomKey()];
    const needles = [{ name: "identity", bytes: identity }, { name: "session", bytes: session }];
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--cached-only", PROGRAM, ...[identity, session].map(disguised), choice],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const said = lines(child.stdout)[Symbol.asyncIterator]();
    const writer = child.stdin.getWriter();

    assert.equal((await said.next()).value, "held");
    const held = searchMemory([child.pid], needles).hits;
    const identities = held.filter((hit) => hit.needle === "identity");
    const locked = readSecretMemory(child.pid).map(({ mapping }) => mapping.start);
    assert.equal(identities.length, 1, "one copy of the identity");
    assert.ok(identities.every((hit) => locked.includes(hit.mapping.start)), "and it is locked");
    const sessions = held.filter((hit) => hit.needle === "session");
    assert.ok(sessions.length <= 2, "at most one copy of a session's key for each direction");
    assert.ok(sessions.length > 0, "the search sees what the cipher holds");

    await writer.write(Uint8Array.of(10));
    assert.equal((await said.next()).value, "released");
    assert.deepEqual(searchMemory([child.pid], needles).hits, []);
    await writer.close();
    assert.ok((await child.status).success);
  });
}

function randomKey(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(32));
}

function disguised(key: Uint8Array): string {
  return key.map((byte) => 255 - byte).toHex();
}
