/** What goes over a wire that doubles, cuts, turns and repeats, captured: no number is used twice. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Capture } from "../lab/capture.ts";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { type Implementation, twoMachines, untilBound, WireguardEnd } from "./wireguard.ts";

const HANDSHAKES = 10;
const RELAY_PORT = "4000";
const RELAY = fileURLToPath(import.meta.resolve("./bad_wire.ts"));

/** `a` reaches `b` by a relay in b's machine that is a bad wire. */
async function byBadWire(lab: Lab, kinds: { a: Implementation; b: Implementation }) {
  const machines = await twoMachines(lab);
  const a = await WireguardEnd.start(machines.a, { implementation: kinds.a });
  const b = await WireguardEnd.start(machines.b, { implementation: kinds.b });
  await a.address("10.7.0.1/24");
  await b.address("10.7.0.2/24");
  await b.peer(a.keys, "allowed-ips 10.7.0.1/32");
  const deno = [Deno.execPath(), "run", "-A", "--cached-only", "--no-check", "--unstable-net"];
  await machines.b.spawn([...deno, RELAY, RELAY_PORT, "192.0.2.2:51820"], { stderr: "inherit" });
  await untilBound(machines.b, RELAY_PORT);
  /** A new handshake; whether all that followed it was answered. */
  const call = async () => {
    await a.machine.sh(`wg set wg0 peer ${b.keys.publicKey} remove`);
    await a.peer(b.keys, `endpoint 192.0.2.2:${RELAY_PORT} allowed-ips 10.7.0.2/32`);
    if (kinds.b === "ours") return await a.ping("10.7.0.2", { count: 3 });
    // The stock one loses some here by counting from zero again; see tunnel_api_test.ts.
    await a.machine.run(["ping", "-c", "3", "-i", "0.02", "-W", "2", "10.7.0.2"]);
    return true;
  };
  return { a, b, call };
}

for (const b of ["ours", "wireguard-go"] as const) {
  labTest(
    `ours and ${b} on a bad wire: we use no number twice, handshake after handshake`,
    async () => {
      await using lab = await Lab.open();
      const ends = await byBadWire(lab, { a: "ours", b });
      await using capture = await Capture.start(lab, { machine: ends.a.machine, ifname: "eth0" });
      for (let handshake = 0; handshake < HANDSHAKES; handshake++) {
        assert.ok(await ends.call(), `handshake ${handshake}`);
      }
      const data = (await capture.packets()).filter(({ kind, source, payload }) =>
        kind === "udp" && source === "192.0.2.1" && payload[0] === 4
      );
      const bytesOf = new Map<string, string>();
      for (const { payload, length } of data) {
        const number = payload.subarray(4, 16).toHex();
        const bytes = `${length} ${payload.subarray(16).toHex()}`;
        assert.equal(bytesOf.get(number) ?? bytes, bytes, `number ${number} came twice`);
        bytesOf.set(number, bytes);
      }
      assert.ok(bytesOf.size >= 2 * HANDSHAKES, `${bytesOf.size} numbers`);
    },
  );
}
