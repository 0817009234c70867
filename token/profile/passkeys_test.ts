import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import {
  Decrypter,
  Encrypter,
  generateX25519Identity,
  identityToRecipient,
  webauthn,
} from "age-encryption";
import { SecretMemory } from "../../os/secret_memory.ts";
import { makeSample, PIN } from "../../tests/token/sample.ts";
import { concat } from "../apdu/tlv.ts";
import { readHeader, writeHeader } from "./age_header.ts";
import { readAgeIdentity } from "./age_identity.ts";
import { openContainer, recipientKinds, sealContainer } from "./container.ts";
import { prfIdentity, prfStanza } from "./fido2prf.ts";
import { checkHead } from "./head.ts";
import { LONGEST_HEADER, MOST_PASSKEYS } from "./limits.ts";
import { openProfile } from "./open.ts";
import {
  formatPasskey,
  parsePasskey,
  type Passkey,
  passkeyNonce,
  passkeysIn,
  withPasskeys,
} from "./passkeys.ts";
import { pivIdentity } from "./piv_p256.ts";
import { isPasskeyName, unusedName } from "./passkey_name.ts";
import { prfInputs } from "./prf_inputs.ts";
import { sealProfile } from "./seal.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const nonce = new Uint8Array(16).fill(7);

/** A passkey as WebAuthn level 3, section 10.1.4 has it: HMAC under a key of its own. */
class TestPasskey {
  readonly #key = new Uint8Array(randomBytes(32));
  asked = 0;

  result(input: Uint8Array): Uint8Array<ArrayBuffer> {
    const salt = sha256(concat(utf8("WebAuthn PRF"), Uint8Array.of(0), input));
    return Uint8Array.from(hmac(sha256, this.#key, salt));
  }

  both(of: Uint8Array): Uint8Array {
    const { first, second } = prfInputs(of);
    return concat(this.result(first), this.result(second));
  }

  /** What typage asks of a browser. */
  async inBrowser<T>(work: () => Promise<T>): Promise<T> {
    const get = (options: {
      publicKey: { extensions: { prf: { eval: { first: Uint8Array; second: Uint8Array } } } };
    }) => {
      this.asked++;
      const { first, second } = options.publicKey.extensions.prf.eval;
      const results = { first: this.result(first).buffer, second: this.result(second).buffer };
      return Promise.resolve({ getClientExtensionResults: () => ({ prf: { results } }) });
    };
    Object.defineProperty(navigator, "credentials", { configurable: true, value: { get } });
    try {
      return await work();
    } finally {
      Reflect.deleteProperty(navigator, "credentials");
    }
  }
}

Deno.test("what typage seals to a passkey opens here, and the other way round", async () => {
  const passkey = new TestPasskey();
  const encrypter = new Encrypter();
  encrypter.addRecipient(new webauthn.WebAuthnRecipient());
  const theirs = await passkey.inBrowser(() => encrypter.encrypt("settings"));
  const [, text = ""] = readHeader(theirs)?.stanzas[0]?.args ?? [];
  const own = Uint8Array.fromBase64(text);
  const opened = await openContainer(theirs, prfIdentity(passkey.both(own), { nonce: own }));
  assert.ok(typeof opened === "object");
  assert.deepEqual(opened.plaintext, utf8("settings"));

  const ours = await sealContainer(utf8("profile"), [{
    wrapFileKey: (fileKey) => [prfStanza(fileKey, { nonce, prf: passkey.both(nonce) })],
  }]);
  const decrypter = new Decrypter();
  decrypter.addIdentity(new webauthn.WebAuthnIdentity());
  const back = await passkey.inBrowser(() => decrypter.decrypt(ours, "text"));
  assert.equal(back, "profile");
  assert.equal(passkey.asked, 2);
});

Deno.test("passkeys join and leave a profile: its card, its head and its issue stay", async () => {
  const sample = await makeSample();
  const { piv, sealedTo, profile, privateKey, presharedKey, issuer, cardId } = sample;
  const identity = await generateX25519Identity();
  const { head: bytes, sealed } = await sealProfile({ profile, privateKey, presharedKey }, {
    issuer,
    sealedTo,
    recovery: [await identityToRecipient(identity)],
  });
  const issuerKeys = [issuer.publicKey];
  const checked = await checkHead(bytes, { issuerKeys, cardId, now: 0, highestGeneration: 0 });
  assert.ok(checked.result === "ok");
  const { head } = checked;
  const own = passkeyNonce(head.inner);
  await piv.verifyPin(PIN);
  const before = await openContainer(sealed, pivIdentity(piv, sealedTo));
  assert.ok(typeof before === "object");
  const { fileKey } = before;
  const [phone, key] = [new TestPasskey(), new TestPasskey()];
  const made = (name: string, passkey: TestPasskey): Passkey => ({
    name,
    body: prfStanza(fileKey, { nonce: own, prf: passkey.both(own) }).body,
  });
  const both = [made("Alice's phone", phone), made("指紋キー", key)];
  const more = withPasskeys(sealed, { passkeys: both, nonce: own, fileKey });
  assert.deepEqual(passkeysIn(sealed, own), []);
  assert.deepEqual(passkeysIn(more, own), both);
  const kinds = recipientKinds(more)?.filter((kind) => !kind.endsWith("-grease"));
  assert.equal(kinds?.filter((kind) => kind === "age-encryption.org/fido2prf").length, 2);
  assert.equal(kinds?.[0], "piv-p256");
  assert.deepEqual(readHeader(more)?.payload, readHeader(sealed)?.payload, "sealed once");

  for (const passkey of [phone, key]) {
    using secrets = SecretMemory.allocate(64);
    const identity = prfIdentity(passkey.both(own), { nonce: own });
    const opened = await openProfile({ sealed: more, head, identity, secrets, issuerKeys });
    assert.ok(opened.result === "ok");
    assert.deepEqual(opened.profile, profile);
    assert.deepEqual(opened.privateKey?.bytes, privateKey);
  }
  const stranger = prfIdentity(new TestPasskey().both(own), { nonce: own });
  assert.equal(await openContainer(more, stranger), "no-key");
  const other = prfIdentity(phone.both(nonce), { nonce });
  assert.equal(await openContainer(more, other), "no-key", "another issue's question");
  for (const way of [pivIdentity(piv, sealedTo), await stock(identity)]) {
    assert.ok(typeof await openContainer(more, way) === "object", "who could open it still can");
  }
  const decrypter = new Decrypter();
  decrypter.addIdentity(new webauthn.WebAuthnIdentity());
  const plain = await key.inBrowser(() => decrypter.decrypt(more, "uint8array"));
  assert.deepEqual(plain, before.plaintext, "typage opens it with the second of them");

  const less = withPasskeys(more, { passkeys: both.slice(1), nonce: own, fileKey });
  assert.deepEqual(passkeysIn(less, own).map(({ name }) => name), ["指紋キー"]);
  const gone = prfIdentity(phone.both(own), { nonce: own });
  assert.equal(await openContainer(less, gone), "no-key");
  assert.deepEqual(withPasskeys(less, { passkeys: [], nonce: own, fileKey }), sealed);
  // Kept beside the container, the same stanza opens it as well.
  const [kept] = passkeysIn(more, own);
  assert.ok(kept);
  const stanza = prfStanza(fileKey, { nonce: own, prf: phone.both(own) });
  assert.deepEqual(stanza.body, kept.body);
  const beside = prfIdentity(phone.both(own), { nonce: own, more: [stanza] });
  assert.ok(typeof await openContainer(sealed, beside) === "object");
});

Deno.test("a header that was changed without the file key opens for nobody", async () => {
  const identity = await generateX25519Identity();
  const sealed = await sealContainer(utf8("x"), [await identityToRecipient(identity)]);
  const parts = readHeader(sealed);
  assert.ok(parts);
  const passkey = new TestPasskey();
  const forged = prfStanza(new Uint8Array(16).fill(1), { nonce, prf: passkey.both(nonce) });
  const changed = writeHeader(
    { ...parts, stanzas: [...parts.stanzas, forged] },
    new Uint8Array(16).fill(1),
  );
  assert.equal(await openContainer(changed, await stock(identity)), "damaged");
  const mine = prfIdentity(passkey.both(nonce), { nonce });
  assert.equal(await openContainer(changed, mine), "damaged", "its own key opens no payload");
});

Deno.test("stanzas that are none, and more than anybody has", async () => {
  const body = utf8("b".repeat(32));
  const label = "age-encryption.org/fido2prf";
  const good = nonce.toBase64({ omitPadding: true });
  const odd = [
    { args: [label], body },
    { args: [label, good, "more"], body },
    { args: [label, `${good}==`], body },
    { args: [label, "AAAA"], body },
    { args: [label, good], body: body.subarray(1) },
    { args: [label, good], body: utf8("b".repeat(33)) },
    { args: [label, good], body: new Uint8Array(0) },
  ];
  const identity = await generateX25519Identity();
  const sealed = await sealContainer(utf8("x"), [await identityToRecipient(identity)]);
  const parts = readHeader(sealed);
  assert.ok(parts);
  const stanzas = [...parts.stanzas, ...odd];
  assert.deepEqual(passkeysIn(writeHeader({ ...parts, stanzas }, body), nonce), []);
  const prf = prfIdentity(new Uint8Array(64), { nonce });
  assert.equal(await prf.unwrapFileKey(odd), null);
  const nameless = [...parts.stanzas, { args: [label, good], body }];
  assert.deepEqual(
    passkeysIn(writeHeader({ ...parts, stanzas: nameless }, body), nonce),
    [{ name: "passkey 1", body }],
    "as other tools write them",
  );
  const many = Array.from({ length: MOST_PASSKEYS + 1 }, (_, index) => ({
    name: `${"x".repeat(30)}${index}`,
    body: new Uint8Array(32).fill(index),
  }));
  const fileKey = new Uint8Array(16);
  const full = many.slice(0, MOST_PASSKEYS);
  assert.deepEqual(
    passkeysIn(withPasskeys(sealed, { passkeys: full, nonce, fileKey }), nonce),
    full,
  );
  assert.throws(() => withPasskeys(sealed, { passkeys: many, nonce, fileKey }), RangeError);
  const long = { args: ["x", "y".repeat(LONGEST_HEADER)], body };
  assert.throws(() => writeHeader({ ...parts, stanzas: [long] }, fileKey), RangeError);
  assert.equal(readHeader(utf8("age-encryption.org/v1\n-> x\nAA")), undefined);
  assert.equal(readHeader(utf8("age-encryption.org/v1\n-> x\n\n--- AAAA")), undefined);
  assert.equal(
    readHeader(utf8(`age-encryption.org/v1\n-> x ${"A".repeat(9000)}\n\n--- A\n`)),
    undefined,
  );
  assert.equal(readHeader(new Uint8Array(24_001)), undefined);
});

Deno.test("a passkey as a word: back it comes, and for one profile only", () => {
  const passkey = { name: "Alice’s phone 📱", body: new Uint8Array(randomBytes(32)) };
  const text = formatPasskey(passkey, nonce);
  assert.match(text, /^passkey1\.[A-Za-z0-9_-]{64}\.[A-Za-z0-9_-]+$/);
  assert.deepEqual(parsePasskey(text, nonce), passkey);
  assert.equal(parsePasskey(text, new Uint8Array(16)), "another-profile");
  const cut = [text.slice(1), text.slice(0, -1).slice(0, 70), `${text}.x`, "", "passkey1.."];
  for (const one of cut) assert.equal(parsePasskey(one, nonce), undefined, one);
  const named = (name: string) =>
    `passkey1.${"A".repeat(64)}.${
      utf8(name).toBase64({ alphabet: "base64url", omitPadding: true })
    }`;
  assert.ok(parsePasskey(named("a"), new Uint8Array(16)));
  for (const bad of [" a", "a\n", "\u202eabc", "x".repeat(33), "\0"]) {
    assert.ok(!isPasskeyName(bad), bad);
    assert.equal(parsePasskey(named(bad), new Uint8Array(16)), undefined, JSON.stringify(bad));
  }
});

Deno.test("a second passkey of one name gets a number", () => {
  const there = ["phone", "phone 2", "x".repeat(32)];
  assert.equal(unusedName("key", there), "key");
  assert.equal(unusedName("phone", there), "phone 3");
  const long = unusedName("x".repeat(32), there);
  assert.equal(long, `${"x".repeat(29)} 2`);
  assert.ok(isPasskeyName(long));
});

/** The stock library's own way in. */
async function stock(identity: string) {
  const read = await readAgeIdentity(utf8(identity));
  assert.ok(typeof read === "object");
  return read;
}
