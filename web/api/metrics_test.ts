import assert from "node:assert/strict";
import { FakeGateway } from "../testing/fake_gateway.ts";
import { metricsText } from "./metrics.ts";

Deno.test("metrics are Prometheus text, without names of people or machines", async () => {
  const view = await FakeGateway.open();
  view.move({ phase: "up", holder: "Hanako Sato", since: 0, expiresAt: 0 });
  view.patch = {
    terminals: [
      { address: "192.0.2.9", mac: "", name: "laptop", sentBytes: 1, receivedBytes: 2 },
      { address: "192.0.2.10", mac: "", name: "phone", sentBytes: 10, receivedBytes: 20 },
    ],
    drops: { dns: 3, 'odd "reason"\\\n': 4 },
    warnings: ["one"],
  };
  const text = metricsText(view.status(), { listeners: 5 });
  for (
    const line of [
      `sekisho_build_info{version="0.0.0"} 1`,
      `sekisho_session_phase{phase="up"} 1`,
      "sekisho_session_up 1",
      "sekisho_terminals 2",
      "sekisho_terminals_sent_bytes_total 11",
      "sekisho_terminals_received_bytes_total 22",
      `sekisho_dropped_packets_total{reason="dns"} 3`,
      `sekisho_dropped_packets_total{reason="odd \\"reason\\"\\\\\\n"} 4`,
      "sekisho_warnings 1",
      "sekisho_web_listeners 5",
    ]
  ) assert.ok(text.split("\n").includes(line), line);
  for (const name of ["Hanako", "laptop", "192.0.2"]) assert.ok(!text.includes(name), name);
  assert.ok(!text.includes("sekisho_tunnel"), "no tunnel, no figures of one");
  for (const line of text.trimEnd().split("\n")) {
    assert.match(line, /^(# (HELP|TYPE) sekisho_\w+ .+|sekisho_\w+(\{.*\})? [0-9.e+]+)$/);
  }
});
