import assert from "node:assert/strict";
import { type PeerConfig, publicKeyFromBytes, TunnelConfigError } from "./api.ts";
import { readConfig } from "./config.ts";
import { startTunnel } from "./tunnel.ts";

const publicKey = publicKeyFromBytes(new Uint8Array(32).fill(9));
const manualKey = { address: 16n, length: 32 } as const;

Deno.test("a peer's manual key and what is remembered of its announcements are read", () => {
  const newerThan = "400000006553f10000000000";
  const read = (peer: Partial<PeerConfig>) => readConfig({ peers: [{ publicKey, ...peer }] }).peers;
  assert.deepEqual(read({ manualKey, newerThan })[0]?.manualKey, manualKey);
  assert.equal(read({ manualKey, newerThan })[0]?.newerThan?.toHex(), newerThan);
  assert.equal(read({ manualKey: "none" })[0]?.manualKey, "none");
  for (const text of ["", "4000", newerThan + "00", newerThan.replace("f1", "zz")]) {
    assert.throws(() => read({ manualKey, newerThan: text }), TunnelConfigError);
  }
});

Deno.test("a manual key is refused where the identity is on a card", async () => {
  const identity = { kind: "remote", publicKey, dh: () => Promise.resolve() } as const;
  await assert.rejects(
    startTunnel({ ifname: "none0", identity, peers: [{ publicKey, manualKey }] }),
    (error) =>
      error instanceof TunnelConfigError && error.code === "EINVAL" &&
      /identity is on a card/.test(error.message),
  );
});
