import assert from "node:assert/strict";
import { readCounters, readTraffic } from "./counts.ts";

// As nft 1.0.6 lists them.
const COUNTERS = [
  { metainfo: { version: "1.0.6", json_schema_version: 1 } },
  { counter: { family: "inet", name: "dns", table: "sekisho", handle: 7, packets: 3, bytes: 180 } },
  { counter: { family: "inet", name: "ipv6", table: "sekisho", handle: 8, packets: 0, bytes: 0 } },
];

const SET = [
  { metainfo: { version: "1.0.6", json_schema_version: 1 } },
  {
    set: {
      name: "sent4",
      type: "ipv4_addr",
      elem: [
        { elem: { val: "192.168.80.50", counter: { packets: 2, bytes: 120 } } },
        { elem: { val: "192.168.80.51", counter: { packets: 0, bytes: 0 } } },
        "192.168.80.52",
      ],
    },
  },
];

Deno.test("switch counts: named counters and terminals are read, anything else is passed over", () => {
  assert.deepEqual(
    [...readCounters(COUNTERS)],
    [["dns", { packets: 3, bytes: 180 }], ["ipv6", { packets: 0, bytes: 0 }]],
  );
  assert.deepEqual([...readTraffic(SET)], [["192.168.80.50", 120], ["192.168.80.51", 0]]);
  assert.deepEqual([...readTraffic([{ set: { name: "sent4" } }])], []);
  for (const listing of [[], [null], [7], [{ counter: {} }], [{ set: { elem: [{ elem: {} }] } }]]) {
    assert.equal(readCounters(listing).size, 0);
    assert.equal(readTraffic(listing).size, 0);
  }
});
