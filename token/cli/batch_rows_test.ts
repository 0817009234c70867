import assert from "node:assert/strict";
import { makeWireGuardKey } from "../profile/wireguard_key.ts";
import { readBatch } from "./batch_rows.ts";
import { FIELD_FLAGS } from "./fields.ts";
import { type Given, readOptions } from "./options.ts";

const NOW = 1_850_000_000;
const GIVEN = readOptions([
  ...["--server-key", makeWireGuardKey().publicKey, "--endpoint", "vpn.example.org:51820"],
  ...["--inbound", "icmp@10.20.0.0/16"],
], { flags: { ...FIELD_FLAGS, psk: "flag", from: "text" } }) as Given;

const rows = (lines: string) =>
  readBatch(`client_id,addresses,inbound\n${lines}`, { name: "x.csv", given: GIVEN, now: NOW });

Deno.test("a batch: what the inside may begin is a row's own, or what all have", async () => {
  const [alice, bob] = await rows(
    "alice,10.77.0.2/32,tcp/8080@10.20.0.0/16 udp/5-9@10.20.0.7\nbob,10.77.0.3/32,\n",
  );
  assert.deepEqual(alice?.fields.inbound, ["tcp/8080@10.20.0.0/16", "udp/5-9@10.20.0.7"]);
  assert.deepEqual(bob?.fields.inbound, ["icmp@10.20.0.0/16"]);
  assert.notEqual(alice?.digests[0], bob?.digests[0]);
});

Deno.test("a batch: a rule that is none is named with its line, before any card is asked for", async () => {
  await assert.rejects(
    rows("alice,10.77.0.2/32,tcp/8080\n"),
    /^CommandError: Cannot issue x\.csv: line 2: .*inbound\.0: a rule such as /,
  );
});
