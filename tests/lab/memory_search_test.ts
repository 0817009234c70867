import assert from "node:assert/strict";
import { keysIn, proportionalSetSize, readSecretMemory, searchMemory } from "./memory_search.ts";
import { labTest } from "./needs.ts";

/** A process that keeps the complement of what it is told in secret memory and as a V8 string. */
const HOLDER = `
import { SecretMemory } from ${JSON.stringify(import.meta.resolve("../../os/secret_memory.ts"))};
const memory = SecretMemory.allocate(200);
const key = Uint8Array.from(Deno.args[0].match(/../g), (hex) => 255 - parseInt(hex, 16));
memory.bytes.set(key, 64);
key.fill(0);
console.log("holding");
setInterval(() => memory.bytes, 1000);
`;
const BYSTANDER = `console.log("idle"); setInterval(() => {}, 1000);`;

labTest("memory search finds a key where it is, and nowhere else", async () => {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const disguised = key.map((byte) => 255 - byte).toHex();
  await using holder = await start(HOLDER, disguised);
  await using bystander = await start(BYSTANDER, disguised);
  const pids = [holder.pid, bystander.pid];
  const { hits, searched, processes } = searchMemory(pids, [{ name: "key", bytes: key }]);
  assert.deepEqual([...new Set(hits.map((hit) => hit.pid))], [holder.pid]);
  assert.equal(processes, 2);
  assert.ok(searched > 20 << 20, `${searched} bytes read`);
  assert.ok(proportionalSetSize(holder.pid) > 5 << 20);

  // Locked and not dumped: found without knowing the key.
  const parts = readSecretMemory(holder.pid);
  const [hit] = hits;
  assert.ok(parts.some(({ mapping }) => mapping.start === hit?.mapping.start));
  assert.ok(keysIn(parts).some((needle) => needle.bytes.toHex() === key.toHex()));
  assert.deepEqual(keysIn(readSecretMemory(bystander.pid)), []);

  // What both were told on their command line is in both: the search reaches every process.
  const told = { name: "told", bytes: new TextEncoder().encode(disguised) };
  const both = searchMemory(pids, [told]).hits.map((each) => each.pid);
  assert.deepEqual([...new Set(both)].toSorted(), pids.toSorted());
});

labTest(
  "memory search finds a needle across chunks, and counts a process that is gone",
  async () => {
    const text = "across-the-edge-of-a-chunk";
    const script = `const big = new Uint8Array(20 << 20).fill(1);
    const word = new TextEncoder().encode([..."${
      [...text].reverse().join("")
    }"].reverse().join(""));
    for (let at = (4 << 20) - 4096 - 500; at < (4 << 20) + 4096 + 500; at += 27) big.set(word, at);
    console.log("holding"); setInterval(() => big[0], 1000);`;
    await using holder = await start(script, "");
    const needle = { name: "text", bytes: new TextEncoder().encode(text) };
    const { hits } = searchMemory([holder.pid], [needle]);
    const places = Math.ceil((2 * 4096 + 1000) / 27);
    const addresses = new Set(hits.map((hit) => hit.address));
    assert.ok(addresses.size >= places, `${addresses.size} of ${places}`);
    assert.equal(addresses.size, hits.length);
    await holder[Symbol.asyncDispose]();
    assert.equal(searchMemory([holder.pid], [needle]).gone, 1);
  },
);

async function start(script: string, argument: string) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--cached-only", "--no-prompt", "--ext=ts", "-", argument],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  await new Blob([script]).stream().pipeTo(child.stdin);
  const reader = child.stdout.getReader();
  await reader.read();
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // it has ended before
      }
      await reader.cancel();
      await child.status;
    },
  };
}

Deno.test("a process that has ended takes no memory, whether it was waited for or not", async () => {
  const child = new Deno.Command("sleep", { args: ["1000"] }).spawn();
  assert.ok(proportionalSetSize(child.pid) > 0);
  child.kill("SIGKILL");
  await child.status;
  assert.equal(proportionalSetSize(child.pid), 0);
});
