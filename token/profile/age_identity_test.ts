import assert from "node:assert/strict";
import { makeAgeKey, makePasswordIdentity, readAgeIdentity } from "./age_identity.ts";
import { openContainer, recipientKinds, sealContainer } from "./container.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const CHEAP = { workFactor: 6 };

Deno.test("an identity opens what was sealed to it, and no other does", async () => {
  const [own, other] = [await makeAgeKey(), await makeAgeKey()];
  const sealed = await sealContainer(utf8("settings"), [other.recipient, own.recipient]);
  for (const file of [own.identity, `# made by hand\r\n\r\n${own.identity}\r\n`]) {
    const identity = await readAgeIdentity(utf8(file));
    assert.ok(typeof identity === "object");
    const opened = await openContainer(sealed, identity);
    assert.ok(typeof opened === "object");
    assert.equal(new TextDecoder().decode(opened.plaintext), "settings");
  }
  const stranger = await readAgeIdentity(utf8((await makeAgeKey()).identity));
  assert.ok(typeof stranger === "object");
  assert.equal(await openContainer(sealed, stranger), "no-key");
  assert.deepEqual(recipientKinds(sealed)?.filter((kind) => kind === "X25519").length, 2);
});

Deno.test("an identity with any character changed is none", async () => {
  const { identity } = await makeAgeKey();
  for (let at = 0; at < identity.length; at++) {
    const other = identity[at] === "Q" ? "P" : "Q";
    const changed = identity.slice(0, at) + other + identity.slice(at + 1);
    assert.equal(await readAgeIdentity(utf8(changed)), "no-identity", `character ${at}`);
  }
  assert.equal(await readAgeIdentity(utf8(identity.toLowerCase())), "no-identity");
  assert.equal(await readAgeIdentity(utf8(identity.slice(0, -1))), "no-identity");
  assert.equal(await readAgeIdentity(new Uint8Array(0)), "no-identity");
  assert.equal(await readAgeIdentity(new Uint8Array(5000).fill(0x41)), "no-identity");
});

Deno.test("a password opens its identity, and tells a wrong one from damage", async () => {
  const { recipient, file } = await makePasswordIdentity(utf8("right"), CHEAP);
  const sealed = await sealContainer(utf8("settings"), [recipient]);
  assert.equal(await readAgeIdentity(file), "needs-password");
  assert.equal(await readAgeIdentity(file, utf8("wrong")), "wrong-password");
  assert.equal(await readAgeIdentity(file.subarray(0, -3), utf8("right")), "no-identity");
  const identity = await readAgeIdentity(file, utf8("right"));
  assert.ok(typeof identity === "object");
  assert.ok(typeof await openContainer(sealed, identity) === "object");
});

Deno.test("the stock age tool opens with such a password file, and with a bare identity", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const { recipient, file } = await makePasswordIdentity(utf8("right"), CHEAP);
    const bare = await makeAgeKey();
    const sealed = await sealContainer(utf8("settings"), [recipient, bare.recipient]);
    await Deno.writeFile(`${dir}/sealed.age`, sealed);
    await Deno.writeFile(`${dir}/password.age`, file);
    await Deno.writeTextFile(`${dir}/bare`, `${bare.identity}\n`, { mode: 0o600 });
    const { stdout } = await new Deno.Command("age", {
      args: ["-d", "-i", `${dir}/bare`, `${dir}/sealed.age`],
    }).output();
    assert.equal(new TextDecoder().decode(stdout), "settings");
    // age asks for a password on a terminal only: script(1) is one.
    await new Deno.Command("bash", {
      args: [
        "-c",
        `(for i in $(seq 100); do sleep 0.1; [ -s ${dir}/asked ] && break; done
          printf 'right\\n'; for i in $(seq 100); do [ -s ${dir}/opened ] && break; sleep 0.1; done) |
         script -qefc 'age -d -i ${dir}/password.age -o ${dir}/opened ${dir}/sealed.age' ${dir}/asked`,
      ],
      stdout: "null",
    }).output();
    assert.equal(await Deno.readTextFile(`${dir}/opened`), "settings");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
