import assert from "node:assert/strict";
import { FakeGateway } from "../testing/fake_gateway.ts";
import type { GatewayStatus, TunnelView } from "../../gateway/view.ts";
import { terminalRates } from "./rates.ts";
import { KEPT_SAMPLES, ThroughputHistory } from "./throughput.ts";

const base = (await FakeGateway.open()).status();
const tunnel: Omit<TunnelView, "countedAt"> = {
  interface: "wg0",
  endpoint: "192.0.2.1:51820",
  sentBytes: 0,
  receivedBytes: 0,
  lastHandshake: 0,
  identity: "sealed",
  keys: "agreed",
  carrier: "userspace",
  addresses: [],
  destinations: [],
  otherTraffic: "drop",
  inbound: [],
};

/** `counted`: when the engine looked, where that was before. */
function at(
  now: number,
  bytes?: { sent: number; received: number; counted?: number },
): GatewayStatus {
  if (bytes === undefined) return { ...base, now };
  const { sent: sentBytes, received: receivedBytes, counted: countedAt = now } = bytes;
  return { ...base, now, tunnel: { ...tunnel, countedAt, sentBytes, receivedBytes } };
}

Deno.test("throughput is what was added, by the second", () => {
  const history = new ThroughputHistory();
  history.add(at(0));
  history.add(at(1000, { sent: 500, received: 2000 }));
  history.add(at(3000, { sent: 1500, received: 2000 }));
  history.add(at(3000, { sent: 9999, received: 9999 })); // no time has passed
  history.add(at(4000)); // the tunnel is gone
  history.add(at(5000, { sent: 100, received: 0 })); // and here is another one
  assert.deepEqual(history.samples, [
    { at: 1000, sent: 500, received: 2000 },
    { at: 3000, sent: 500, received: 0 },
    { at: 4000, sent: 0, received: 0 },
    { at: 5000, sent: 100, received: 0 },
  ]);
});

Deno.test("a new tunnel with fewer bytes than the one before never shows a negative rate", () => {
  const history = new ThroughputHistory();
  history.add(at(0, { sent: 10_000, received: 10_000 }));
  history.add(at(1000, { sent: 10, received: 20 }));
  assert.deepEqual(history.samples, [{ at: 1000, sent: 10, received: 20 }]);
});

Deno.test("a status that came in between counts what the last second did, and makes no peak", () => {
  const history = new ThroughputHistory();
  const statuses = [
    at(0, { sent: 0, received: 0 }),
    at(1000, { sent: 10, received: 1000 }),
    // Told to a page that has just come: the counters are those of the second before.
    at(1900, { sent: 10, received: 1000, counted: 1000 }),
    at(2000, { sent: 20, received: 2000 }),
    at(3000, { sent: 30, received: 3000 }),
  ];
  for (const status of statuses) history.add(status);
  assert.deepEqual(history.samples.map(({ received }) => received), [1000, 1000, 1000]);

  const page = new ThroughputHistory();
  for (const status of statuses.slice(2)) page.add(status);
  assert.deepEqual(page.samples.map(({ received }) => received), [1000, 1000]);
  const terminal = (now: number, receivedBytes: number): GatewayStatus => ({
    ...at(now),
    terminals: [{ address: "192.0.2.1", mac: "", name: "", sentBytes: 0, receivedBytes }],
  });
  assert.equal(terminalRates(terminal(1900, 1000), terminal(2000, 2000)).size, 0);
});

Deno.test("an engine that looks a little later each time makes neither a gap nor a peak", () => {
  const history = new ThroughputHistory();
  for (let second = 100; second < 160; second++) {
    const now = second * 1000;
    // The newest report that the gateway has; one of them comes a second late.
    const reports = second === 140 ? second - 2 : second - 1;
    const counted = Math.floor(reports * 1000 / 1030) * 1030;
    history.add(at(now, { sent: counted, received: counted * 10, counted }));
  }
  const rates = new Set(history.samples.map(({ sent, received }) => `${sent} ${received}`));
  assert.deepEqual([...rates], ["1000 10000"]);
  assert.ok(history.samples.length >= 55, `${history.samples.length}`);
});

Deno.test("a clock that was set back is followed at once", () => {
  const history = new ThroughputHistory();
  history.add(at(900_000, { sent: 0, received: 0 }));
  history.add(at(1000, { sent: 10, received: 10 }));
  history.add(at(2000, { sent: 20, received: 20 }));
  assert.deepEqual(history.samples, [{ at: 2000, sent: 10, received: 10 }]);
});

Deno.test("only the last five minutes are kept", () => {
  const history = new ThroughputHistory();
  for (let n = 0; n < 1000; n++) history.add(at(n * 1000, { sent: n, received: n }));
  assert.equal(history.samples.length, KEPT_SAMPLES);
  assert.equal(history.samples.at(-1)?.at, 999_000);
});

Deno.test("a terminal's rate needs two statuses that know it", () => {
  const terminal = { address: "192.0.2.9", mac: "", name: "", sentBytes: 100, receivedBytes: 0 };
  const before = { ...base, now: 0, terminals: [terminal] };
  const after = {
    ...base,
    now: 2000,
    terminals: [{ ...terminal, sentBytes: 300, receivedBytes: 4000 }, {
      ...terminal,
      address: "192.0.2.10",
    }],
  };
  assert.deepEqual([...terminalRates(before, after)], [["192.0.2.9", { up: 100, down: 2000 }]]);
  assert.equal(terminalRates(undefined, after).size, 0);
  assert.equal(terminalRates(after, before).size, 0);
});
