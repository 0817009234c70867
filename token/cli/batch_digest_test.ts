import assert from "node:assert/strict";
import { readBatch } from "./batch_rows.ts";
import { FIELD_FLAGS } from "./fields.ts";
import { type Given, readOptions } from "./options.ts";

const GIVEN = readOptions([
  ...["--server-key", "UmVxdWlyZW1lbnQgcm93cyBhcmUgY2hlY2tlZC4uLi4="],
  ...["--endpoint", "vpn.example.org:51820", "--expires", "90d"],
], { flags: { ...FIELD_FLAGS, psk: "flag", from: "text" } }) as Given;

/** What versions wrote of alice's row below: the first one, and those that learnt a setting each. */
const WRITTEN = [
  "9e5d5018ef810a10a15277ce8ef6aebe",
  "6eab07bde53b9e9c85c249294a0153fc",
  "53b2210369849593dd6831308ff4bb43",
  "8d46f92d12d14d52b08eb2b217526cfa",
];

async function digests(row: string, now = 1_850_000_000): Promise<readonly string[]> {
  const table = `client_id,user_name,addresses,psk,card,expires,inbound,ask_user_id\n${row}\n`;
  const [read] = await readBatch(table, { name: "x.csv", given: GIVEN, now });
  return read?.digests ?? [];
}

Deno.test("a batch: a row that is done is known again by what any version wrote of it", async () => {
  const row = "alice,Alice Example,10.77.0.2/32,yes,,,,";
  assert.deepEqual(await digests(row), WRITTEN);
  assert.deepEqual(await digests(row, 1_850_086_400), WRITTEN, "90 days from tomorrow");
  assert.deepEqual(await digests(row.replace(/,$/, ",no")), WRITTEN, "what is usual may be said");
});

Deno.test("a batch: a row that says something else is known by none of it", async () => {
  for (
    const other of [
      "alice,Alice Other,10.77.0.2/32,yes,,,,",
      "alice,Alice Example,10.77.0.3/32,yes,,,,",
      "alice,Alice Example,10.77.0.2/32,no,,,,",
      "alice,Alice Example,10.77.0.2/32,yes,c1,,,",
      "alice,Alice Example,10.77.0.2/32,yes,,91d,,",
      "alice,Alice Example,10.77.0.2/32,yes,,,icmp@10.20.0.0/16,",
      "alice,Alice Example,10.77.0.2/32,yes,,,,yes",
    ]
  ) {
    const written = new Set(await digests(other));
    assert.deepEqual(WRITTEN.filter((one) => written.has(one)), [], other);
  }
});
