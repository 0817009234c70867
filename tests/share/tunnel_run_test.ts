/**
 * A tunnel whose identity is on the card carries every packet while terminals lend the card without
 * a pause. A good minute here; `SEKISHO_LEASE_SECONDS=600` for ten.
 */
import assert from "node:assert/strict";
import { sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { Administrator } from "../story/panel.ts";
import { OFFICE } from "../story/plan.ts";
import { unlock } from "../story/visits.ts";
import { ApiClient, SELECT_PIV, TRIES } from "./api_client.ts";
import { openSharedWorld } from "./shared_world.ts";

const SECONDS = Number(Deno.env.get("SEKISHO_LEASE_SECONDS") ?? 70);
/** So long that nearly every lease wants a session made right before it. */
const HARD_SECONDS = 100;
const PING_MS = 200;

labTest(
  `an on-card tunnel under leases without a pause, ${SECONDS} s: no packet is lost`,
  async () => {
    await using world = await openSharedWorld(
      "on-card",
      `terminals = ["*"]\nidle_limit = 20\nhard_limit = ${HARD_SECONDS}`,
    );
    const { boxes: [box], cards: { office: card }, adminPassword } = world;
    const [first, second] = box.site.terminals;
    assert.ok(first && second);
    await unlock(first, box, card);
    const admin = await Administrator.signIn(first, box, adminPassword);
    const end = Date.now() + SECONDS * 1000;
    const pinging = first.machine.run([
      ...["ping", "-q", "-i", String(PING_MS / 1000), "-W", "5"],
      ...["-c", String(Math.ceil(SECONDS * 1000 / PING_MS)), OFFICE.web.address],
    ]);
    const handshakes = new Set<number>();
    let leases = 0;
    let lentMs = 0;
    /** One works for a few seconds; the other takes the card and goes silent, or works till thrown out. */
    const borrow = async (client: ApiClient, kind: (n: number) => "short" | "silent" | "long") => {
      for (let n = 0; Date.now() < end; n++) {
        const lease = await client.settled((await client.request()).id);
        if (lease.state !== "granted") continue;
        leases++;
        const from = Date.now();
        const how = kind(n);
        for (let used = 0; Date.now() < end && (how === "long" || used < 4); used++) {
          const answer = await client.ask("POST", `/leases/${lease.id}/commands`, {
            body: { apdu: used === 0 ? SELECT_PIV : TRIES },
          });
          if (answer.status !== 200) break;
          await sleep(how === "silent" ? 0 : 1_000);
        }
        if (how === "silent") await client.over(lease.id);
        else await client.ask("DELETE", `/leases/${lease.id}`);
        lentMs += Date.now() - from;
      }
    };
    const watching = (async () => {
      while (Date.now() < end) {
        const { tunnel } = await admin.status();
        if (tunnel !== undefined && tunnel.lastHandshake > 0) handshakes.add(tunnel.lastHandshake);
        await sleep(1_000);
      }
    })();
    await Promise.all([
      watching,
      borrow(new ApiClient(first, box), () => "short"),
      borrow(new ApiClient(second, box), (n) => n % 2 === 0 ? "silent" : "long"),
    ]);
    const { stdout } = await pinging;
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
    assert.equal(received, sent, stdout);
    assert.ok(Number(sent) > SECONDS * 1000 / PING_MS * 0.8, stdout);
    assert.ok(leases >= 4, `${leases} leases`);
    assert.ok(lentMs > SECONDS * 500, `the card was lent for ${lentMs} ms of ${SECONDS} s`);
    assert.ok(handshakes.size >= 2, `${handshakes.size} sessions: made anew for the leases`);
    console.log(
      `${sent} packets, none lost; ${leases} leases, ${Math.round(lentMs / 1000)} s lent, ` +
        `${handshakes.size} sessions`,
    );
  },
);
