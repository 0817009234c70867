import assert from "node:assert/strict";
import { makeIssuer } from "../../tests/token/sample.ts";
import { signJson } from "./jws.ts";
import { MOST_REVOCATIONS } from "./limits.ts";
import { RevocationFiles } from "./revocation_files.ts";
import {
  findRevocation,
  type ProfileName,
  readRevocations,
  type Revocation,
  signRevocations,
} from "./revocations.ts";

const issuer = await makeIssuer();
const stranger = await makeIssuer();
const AT = { at: 1_800_000_000, reason: "lost" } as const;
const name: ProfileName = {
  issuer: issuer.publicKey,
  profileId: "p1",
  cardId: "c1",
  generation: 100,
};
const listOf = (number: number, entries: readonly Revocation[], by = issuer) =>
  signRevocations({ number, issuedAt: 1_800_000_000, entries }, by);

Deno.test("revocations: a profile in all generations, a card up to one", async () => {
  const found = async (entry: Revocation, change: Partial<ProfileName> = {}) => {
    const list = await readRevocations(await listOf(1, [entry]), [issuer.publicKey]);
    assert.ok(typeof list === "object");
    return findRevocation([list], { ...name, ...change })?.reason;
  };
  assert.equal(await found({ ...AT, profile: "p1" }), "lost");
  assert.equal(await found({ ...AT, profile: "p1" }, { generation: 9e15 }), "lost");
  assert.equal(await found({ ...AT, profile: "p2" }), undefined);
  assert.equal(await found({ ...AT, card: "c1", upTo: 100 }), "lost");
  assert.equal(await found({ ...AT, card: "c1", upTo: 99 }), undefined, "issued anew, it is good");
  assert.equal(await found({ ...AT, card: "c2", upTo: 100 }), undefined);
  assert.equal(
    await found({ ...AT, profile: "p1" }, { issuer: stranger.publicKey }),
    undefined,
    "nobody takes back what another issued",
  );
});

Deno.test("revocations: damaged, forged and newer lists are told apart", async () => {
  const bytes = await listOf(3, [{ ...AT, profile: "p1" }]);
  const keys = [issuer.publicKey];
  assert.equal(await readRevocations(bytes, [stranger.publicKey]), "forged");
  assert.equal(await readRevocations(bytes.subarray(0, -1), keys), "damaged");
  assert.equal(await readRevocations(new Uint8Array(0), keys), "damaged");
  const newer = await signJson({ v: 2 }, { kind: "sekisho-revocations", issuer });
  assert.equal(await readRevocations(newer, keys), "newer-version");
  const odd = [
    { v: 1, number: 0, issuedAt: 1, entries: [] },
    { v: 1, number: 1, issuedAt: 1, entries: [{ ...AT }] },
    { v: 1, number: 1, issuedAt: 1, entries: [{ ...AT, profile: "p", card: "c", upTo: 1 }] },
    { v: 1, number: 1, issuedAt: 1, entries: [{ ...AT, reason: "whim", profile: "p" }] },
    { v: 1, number: 1, issuedAt: 1, entries: {} },
  ];
  for (const value of odd) {
    const signed = await signJson(value, { kind: "sekisho-revocations", issuer });
    assert.equal(await readRevocations(signed, keys), "damaged", JSON.stringify(value));
  }
  const head = await signJson({ v: 1, number: 1, issuedAt: 1, entries: [] }, {
    kind: "sekisho-head",
    issuer,
  });
  assert.equal(await readRevocations(head, keys), "forged", "another kind of signature");
  const many = Array.from({ length: MOST_REVOCATIONS + 1 }, (_, i) => ({ ...AT, profile: `${i}` }));
  await assert.rejects(listOf(1, many), RangeError);
});

Deno.test("revocations: files are read when they change, and nothing comes back into force", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const path = `${dir}/revoked.jws`;
    const options = { issuerKeys: [issuer.publicKey], folder: `${dir}/kept` };
    await assert.rejects(RevocationFiles.open([path], options), /it is not there/);
    await Deno.writeFile(path, await listOf(5, []));
    const files = await RevocationFiles.open([path], options);
    assert.equal(files.find(name), undefined);
    assert.deepEqual(await files.look(), []);

    const replace = async (bytes: Uint8Array) => {
      await Deno.writeFile(`${path}.new`, bytes);
      await Deno.rename(`${path}.new`, path);
      return (await files.look()).map((one) => one.kind);
    };
    assert.deepEqual(await replace(await listOf(6, [{ ...AT, profile: "p1" }])), ["read"]);
    assert.equal(files.find(name)?.reason, "lost");
    assert.deepEqual(await replace(await listOf(5, [])), ["refused"], "an older list");
    assert.match(files.warnings()[0] ?? "", /older \(5\) than one that was read before \(6\)/);
    assert.equal(files.find(name)?.reason, "lost");
    assert.deepEqual(await replace(new Uint8Array([1, 2, 3])), ["refused"], "a damaged one");
    assert.deepEqual(await replace(await listOf(9, [], stranger)), ["refused"], "a stranger's");
    await Deno.remove(path);
    assert.deepEqual((await files.look()).map((one) => one.kind), ["refused"], "a lost one");
    assert.equal(files.find(name)?.reason, "lost");

    // After a restart, with the file put back to an older one or away.
    const again = await RevocationFiles.open([path], options);
    assert.equal(again.find(name)?.reason, "lost");
    await Deno.writeFile(path, await listOf(5, []));
    const older = await RevocationFiles.open([path], options);
    assert.equal(older.find(name)?.reason, "lost");
    assert.equal(older.warnings().length, 1);
    await Deno.writeFile(path, await listOf(7, []));
    assert.deepEqual((await older.look()).map((one) => one.kind), ["read"]);
    assert.equal(older.find(name), undefined, "restored by its issuer");
    assert.deepEqual(older.warnings(), []);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("revocations: a file written over in place is read each time, however fast", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const path = `${dir}/revoked.jws`;
    await Deno.writeFile(path, await listOf(10, []));
    const files = await RevocationFiles.open([path], {
      issuerKeys: [issuer.publicKey],
      folder: `${dir}/kept`,
    });
    for (let number = 11; number < 100; number++) {
      // Of one length each, and many within a tick of the file system's clock.
      await Deno.writeFile(path, await listOf(number, []));
      assert.deepEqual((await files.look()).map((one) => one.kind), ["read"], `list ${number}`);
      assert.deepEqual(await files.look(), [], "the same list says nothing new");
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
