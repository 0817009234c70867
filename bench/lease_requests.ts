/**
 * 1,000 lease requests of 50 terminals at one card (the engine's own queue and exchanges, a software
 * card in this process): granted in the order of asking, none lost, and how many a second.
 * `deno run -A bench/lease_requests.ts`
 */
import { type LeaseClient, Sharing } from "../gateway/engine/sharing.ts";
import type { CardSession } from "../token/pcsc/types.ts";
import { SHARED_APPLICATIONS } from "../token/share/applications.ts";
import type { LeaseId } from "../token/share/lease_events.ts";
import { CardInProcess } from "../tests/token/card_channel.ts";
import { round } from "./lib/compare.ts";
import { readNumber, readOptions } from "./lib/options.ts";
import { quantile } from "./lib/statistics.ts";

const REQUESTS = 1_000;
const TERMINALS = 50;
const SELECT_PIV = "00a4040009a0000003080000100000";

const values = readOptions({ requests: { type: "string", default: `${REQUESTS}` } });
const requests = readNumber("requests", values.requests);
const card = new CardInProcess();
const session: CardSession = {
  ...{ reader: "in this process", atr: Uint8Array.of(0x3b, 0), events: 0 },
  removed: new Promise(() => {}),
  transmit: (command) => card.transmit(command),
  reset: () => Promise.resolve(card.reinsert()),
  close: () => Promise.resolve(),
};
const sharing = new Sharing({
  share: { idleMs: 20_000, hardMs: 60_000, beforeUnlock: false, pin: "keep", allow: [] },
  ...{ card: session, applications: SHARED_APPLICATIONS, rekey: () => {} },
  restore: () => Promise.resolve(),
  report: () => {},
  onChange: () => {},
  fail: (error) => {
    throw error;
  },
});
sharing.open("none", { protectedKeys: [] });

const asked: number[] = [];
const granted: number[] = [];
const waited: number[] = [];
let lost = 0;
let over = 0;
const began = performance.now();
const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
// Each terminal has twenty requests under way: all of them ask before any is done.
for (let n = 0; n < requests; n++) ask(n);
await finished;
const seconds = (performance.now() - began) / 1000;
const inOrder = granted.length === requests && granted.every((n, at) => n === asked[at]);
console.log(JSON.stringify({
  ...{ name: `${requests} lease requests of ${TERMINALS} terminals`, unit: "leases per second" },
  ...{ ours: round(requests / seconds), peer: null, ratio: null, peerVersion: null },
  more: {
    ...{ inOrder, lost, granted: granted.length },
    waitMedianMs: round(quantile(waited, 0.5)),
    waitWorstMs: round(Math.max(...waited)),
  },
}));
Deno.exit(inOrder && lost === 0 ? 0 : 1);

function ask(n: number): void {
  const key = `terminal ${n % TERMINALS}`;
  const at = performance.now();
  const client: LeaseClient = {
    refused: () => done(true),
    place: () => {},
    granted: () => {
      granted.push(n);
      waited.push(performance.now() - at);
      // The first is granted before its own name is known here.
      queueMicrotask(() => void use());
    },
    ended: (reason) => done(reason !== "released"),
  };
  asked.push(n);
  const lease: LeaseId = sharing.request(client, { terminal: { key, label: key }, way: "program" });

  async function use(): Promise<void> {
    const answer = await sharing.exchange(lease, Uint8Array.fromHex(SELECT_PIV));
    if (answer.is !== "response" || answer.apdu.at(-2) !== 0x90) lost++;
    sharing.leave(lease);
  }
}

function done(isLost: boolean): void {
  if (isLost) lost++;
  if (++over === requests) finish();
}
