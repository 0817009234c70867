import assert from "node:assert/strict";
import { listTerminals, parseLeases, parseNeighbours } from "./terminals.ts";

const LEASES = `1795215103 02:32:16:66:86:37 192.168.80.117 laptop 01:02:32:16:66:86:37
0 02:00:00:00:00:01 192.168.80.118 * *
not a lease
1795171000 02:00:00:00:00:02 192.168.80.119 gone *
duid 00:01:00:01:32:00:00:01
1795215103 5 fd80::5 * 00:01
`;

const NEIGHBOURS = JSON.stringify([
  { dst: "192.168.80.117", lladdr: "02:32:16:66:86:37", state: ["REACHABLE"] },
  { dst: "fd80::9", lladdr: "02:32:16:66:86:37", state: ["STALE"] },
  { dst: "fe80::32:16ff:fe66:8637", lladdr: "02:32:16:66:86:37", state: ["STALE"] },
  { dst: "192.168.80.7", lladdr: "02:00:00:00:00:07", state: ["DELAY"] },
  { dst: "192.168.80.8", state: ["INCOMPLETE"] },
  { dst: "192.168.80.9", lladdr: "02:00:00:00:00:09", state: ["FAILED"] },
]);

Deno.test("terminals: leases with their times, neighbours for the rest", () => {
  const leases = parseLeases(LEASES);
  assert.equal(leases.length, 3);
  const list = listTerminals({ leases, neighbours: parseNeighbours(NEIGHBOURS) }, 1795171903539);
  assert.deepEqual(list, [
    {
      address: "192.168.80.117",
      mac: "02:32:16:66:86:37",
      name: "laptop",
      leaseUntil: 1795215103000,
    },
    { address: "192.168.80.118", mac: "02:00:00:00:00:01", name: "" },
    { address: "fd80::9", mac: "02:32:16:66:86:37", name: "laptop" },
    { address: "192.168.80.7", mac: "02:00:00:00:00:07", name: "" },
  ]);
});

Deno.test("terminals: nothing there, and a flood", () => {
  assert.deepEqual(parseLeases(""), []);
  assert.deepEqual(parseNeighbours(""), []);
  assert.deepEqual(parseNeighbours("[]"), []);
  const neighbours = Array.from({ length: 9000 }, (_, i) => ({ address: `a${i}`, mac: "" }));
  assert.equal(listTerminals({ leases: [], neighbours }, 0).length, 4096);
});
