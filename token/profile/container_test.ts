import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { openContainer, sealContainer } from "./container.ts";
import { passwordIdentity, passwordRecipient } from "./password.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("the stock age tool opens what is sealed to an X25519 recipient", async () => {
  const identity = await generateX25519Identity();
  const plaintext = new Uint8Array(randomBytes(1500));
  const sealed = await sealContainer(plaintext, [await identityToRecipient(identity)]);
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${dir}/sealed`, sealed);
    await Deno.writeTextFile(`${dir}/key`, identity, { mode: 0o600 });
    const { success, stdout, stderr } = await new Deno.Command("age", {
      args: ["-d", "-i", `${dir}/key`, `${dir}/sealed`],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    assert.deepEqual(stdout, plaintext);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a password opens its container, another one finds no key", async () => {
  const plaintext = bytes("settings");
  const sealed = await sealContainer(plaintext, [
    passwordRecipient(bytes("right"), { workFactor: 4 }),
  ]);
  const opened = await openContainer(sealed, passwordIdentity(bytes("right")));
  assert.ok(typeof opened === "object");
  assert.deepEqual(opened.plaintext, plaintext);
  assert.equal(await openContainer(sealed, passwordIdentity(bytes("wrong"))), "no-key");
});

Deno.test("a work factor that would fill the memory is refused at once", async () => {
  const sealed = await sealContainer(bytes("x"), [
    passwordRecipient(bytes("right"), { workFactor: 4 }),
  ]);
  const text = new TextDecoder("latin1").decode(sealed);
  for (const factor of ["20", "30", "64", "999", "1e3", "-1", "0", "04"]) {
    const bomb = text.replace(/^(-> scrypt \S+) 4$/m, `$1 ${factor}`);
    assert.notEqual(bomb, text);
    const raw = Uint8Array.from(bomb, (character) => character.charCodeAt(0));
    assert.equal(await openContainer(raw, passwordIdentity(bytes("right"))), "damaged", factor);
  }
});

Deno.test("too large, too many, and no container at all", async () => {
  const identity = passwordIdentity(bytes("right"));
  assert.equal(await openContainer(new Uint8Array(24_001), identity), "damaged");
  assert.equal(await openContainer(new Uint8Array(0), identity), "damaged");
  assert.equal(await openContainer(bytes("age-encryption.org/v1\n"), identity), "damaged");
  const endless = bytes("age-encryption.org/v1\n" + "-> X25519 AAAA\n\n".repeat(1000));
  assert.equal(await openContainer(endless, identity), "damaged");
  const recipient = await identityToRecipient(await generateX25519Identity());
  await assert.rejects(sealContainer(new Uint8Array(24_000), [recipient]), RangeError);
});
