import assert from "node:assert/strict";
import { publicKeyFromBytes } from "../api.ts";
import { Changes } from "./changes.ts";

const publicKey = publicKeyFromBytes(new Uint8Array(32));
const DATE = 1_700_000_000_000;
const peer = (parts: { lastHandshake?: number; rx?: number; tx?: number; endpoint?: string }) => ({
  publicKey,
  hasPresharedKey: false,
  persistentKeepalive: 0,
  allowedIps: [],
  lastHandshake: parts.lastHandshake ?? 0,
  rxBytes: parts.rx ?? 0,
  txBytes: parts.tx ?? 0,
  ...(parts.endpoint === undefined ? {} : { endpoint: parts.endpoint }),
});

/** Looks at each second's state, and returns what was told when. */
function told(states: readonly (ReturnType<typeof peer> | undefined)[]): string[] {
  const changes = new Changes();
  return states.flatMap((state, second) => {
    const at = { now: second * 1000, date: DATE + second * 1000 };
    return changes.look(state === undefined ? [] : [state], at).map(({ kind }) =>
      `${second} ${kind}`
    );
  });
}

Deno.test("kernel: a handshake, data, another handshake, and its keys' end", () => {
  const states = [
    peer({ endpoint: "192.0.2.1:1" }),
    peer({ endpoint: "192.0.2.1:1", tx: 148 }),
    peer({ endpoint: "192.0.2.1:1", tx: 180, rx: 92, lastHandshake: DATE + 1500 }),
    peer({ endpoint: "192.0.2.1:1", tx: 400, rx: 92, lastHandshake: DATE + 1500 }),
    peer({ endpoint: "192.0.2.7:2", tx: 400, rx: 300, lastHandshake: DATE + 1500 }),
    peer({ endpoint: "192.0.2.7:2", tx: 600, rx: 300, lastHandshake: DATE + 4500 }),
  ];
  const last = states.at(-1);
  const rest = Array.from({ length: 600 }, () => last);
  assert.deepEqual(told([...states, ...rest]), [
    "2 handshake-completed",
    "4 endpoint-changed",
    "4 first-data-received",
    "5 handshake-completed",
    `${540 + 5} keys-expired`,
  ]);
});

Deno.test("kernel: calls that nobody answers are told after their last attempt, and again", () => {
  const calling = Array.from({ length: 300 }, (_, second) => {
    return peer({ tx: 148 * Math.floor(second / 5), endpoint: "192.0.2.1:1" });
  });
  assert.deepEqual(told(calling), [
    "100 handshake-failed",
    "200 handshake-failed",
  ]);
});

Deno.test("kernel: an answer, or a peer that goes, ends the waiting", () => {
  const silent = (second: number) => peer({ tx: 148 * Math.floor(second / 5) });
  const answered = Array.from(
    { length: 90 },
    (_, second) => silent(second),
  );
  const alive = peer({ tx: 5000, rx: 92, lastHandshake: DATE + 90_000 });
  assert.deepEqual(told([...answered, ...Array(60).fill(alive)]), ["90 handshake-completed"]);
  assert.deepEqual(told([...answered, undefined, ...answered]), []);
});
