import assert from "node:assert/strict";
import { makeWireGuardKey } from "../profile/wireguard_key.ts";
import { readBatch } from "./batch_rows.ts";
import { draftProfile, NOBODYS_IDENTITY } from "./draft.ts";
import { FIELD_FLAGS, type KnownFields, readFields } from "./fields.ts";
import { type Given, readOptions } from "./options.ts";

const NOW = 1_850_000_000;
const SETTINGS = [
  ...["--client-id", "alice", "--expires", "2035-01-01", "--address", "10.77.0.2/32"],
  ...["--server-key", makeWireGuardKey().publicKey, "--endpoint", "vpn.example.org:51820"],
];

async function profileOf(more: readonly string[], { known, file }: {
  known?: KnownFields;
  file?: string;
} = {}) {
  const given = readOptions([...SETTINGS, ...more], { flags: FIELD_FLAGS }) as Given;
  const fields = await readFields(given, {
    path: file,
    now: NOW,
    ...(known === undefined ? {} : { known }),
  });
  return draftProfile(fields, {
    ...{ cardId: "serial:1", now: NOW, identity: NOBODYS_IDENTITY },
    ...{ hasPresharedKey: false, recipients: [] },
  });
}

Deno.test("whether the user id is asked for: by flag, by file, as before, and else not", async () => {
  const named = ["--user-name", "Alice Example"];
  assert.equal("asksUserId" in await profileOf(named), false);
  const asks = async (...args: Parameters<typeof profileOf>) =>
    (await profileOf(...args)).asksUserId ?? false;
  assert.equal(await asks([...named, "--ask-user-id", "yes"]), true);
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "[user]\nask_id = true\n");
  assert.equal(await asks(named, { file }), true);
  assert.equal(await asks([...named, "--ask-user-id", "no"], { file }), false);
  assert.equal(await asks(named, { known: { asksUserId: true } }), true, "an edit keeps it");
  await Deno.writeTextFile(file, '[user]\nask_id = "yes"\n');
  await assert.rejects(profileOf(named, { file }), /user\.ask_id: expected true or false/);
  await Deno.remove(file);
  await assert.rejects(
    profileOf([...named, "--ask-user-id", "maybe"]),
    /^UsageError: Cannot use --ask-user-id maybe: expected yes or no$/,
  );
});

Deno.test("a batch asks for the user id row by row, and names the row that can't", async () => {
  const given = readOptions(SETTINGS.slice(2), { flags: { ...FIELD_FLAGS, psk: "flag" } }) as Given;
  const read = (...rows: readonly string[]) =>
    readBatch(["client_id,user_id,user_name,ask_user_id,addresses", ...rows].join("\n"), {
      ...{ name: "people.csv", given, now: NOW },
    });
  const rows = await read(
    ...[
      "alice,tanaka7,Alice,yes,10.0.0.2/32",
      "bob,bob,Bob,no,10.0.0.3/32",
      "carol,,,,10.0.0.4/32",
    ],
  );
  assert.deepEqual(rows.map(({ fields }) => fields.asksUserId), [true, false, false]);
  await assert.rejects(
    read("alice,tanaka7,Alice,yes,10.0.0.2/32", "bob,bob,Bob,yes,10.0.0.3/32"),
    /line 3: .*user id bob/,
  );
});

Deno.test("an id that every reader shows as the name isn't asked for", async () => {
  for (const name of [[], ["--user-name", " ALICE"]]) {
    await assert.rejects(
      profileOf([...name, "--ask-user-id", "yes"]),
      /^UsageError: Cannot ask for the user id alice: .* give another --user-name$/,
    );
  }
});
