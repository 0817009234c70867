/**
 * The gateway's real path: terminal, gateway, hub, office server. Ours is our gateway with an
 * unlocked card and our hub; the peer's has wireguard-go in the place of both, set up by hand, with
 * the kernel forwarding. Two whole networks stand side by side, and are measured in turn.
 */
import { bigFileHash } from "../../tests/story/big_file.ts";
import { openWorld } from "../../tests/story/open_world.ts";
import { startBareWireguardGo } from "../../tests/story/peer_engine.ts";
import { OFFICE } from "../../tests/story/plan.ts";
import type { Teller } from "../../tests/story/teller.ts";
import { startIperf, throughput } from "../../tests/story/throughput.ts";
import { OFFICE_URL, OFFICE_URL6, unlock } from "../../tests/story/visits.ts";
import type { World } from "../../tests/story/world.ts";
import { type Claim, compare, readSettings } from "./compare.ts";
import { takePeer } from "./peer.ts";
import type { Make } from "./wire.ts";

const FILE = { seed: 7, size: 8_000_000 };
const teller: Teller = { step: () => {}, note: () => {}, figure: () => {} };

/** Downloads of one TCP stream, in megabits a second. */
export async function compareGatewayPath(claim: Claim, family: 4 | 6): Promise<void> {
  const { pairs, seconds } = readSettings({ pairs: 5, seconds: 4 });
  const peerVersion = await takePeer();
  await using ours = await openWorld({ hub: "ours", identity: "sealed" }, teller);
  await using peer = await openWorld({ hub: "stock", identity: "sealed" }, teller);
  const worlds: Record<Make, World> = { ours, peer };
  const { boxes: [box], cards: { office: card } } = ours;
  await unlock(terminalOf(ours), box, card);
  await using _engine = await putPeerInPlace(peer);
  for (const world of [ours, peer]) await startIperf(world.network.office);

  const address = family === 4 ? OFFICE.web.address : OFFICE.web.address6;
  const url = `${family === 4 ? OFFICE_URL : OFFICE_URL6}big?seed=${FILE.seed}&size=${FILE.size}`;
  const expected = bigFileHash(FILE);
  await compare(claim, { pairs, peerVersion }, {
    measure: async (make) => {
      const { machine } = terminalOf(worlds[make]);
      return { value: await throughput(machine, { address, direction: "down", seconds }) };
    },
    check: async (make) => {
      const { sha256 } = await terminalOf(worlds[make]).do("download", { url });
      if (sha256 !== expected) throw new Error(`Cannot trust this run: the file came as ${sha256}`);
    },
  });
}

function terminalOf({ boxes: [box] }: World) {
  const [terminal] = box.site.terminals;
  if (terminal === undefined) throw new Error("the first site has terminals");
  return terminal;
}

async function putPeerInPlace(world: World): Promise<AsyncDisposable> {
  const { boxes: [box], cards: { office: card }, hub, network } = world;
  await box.stopGateway();
  const engine = await startBareWireguardGo(box, { card, hub, dir: network.lab.dir });
  // Who advertised the way out over IPv6 has gone with the gateway.
  const lan6 = box.site.plan.lan.address6;
  await box.machine.sh(`ip -6 addr replace ${lan6} dev lan0 nodad`);
  const router = lan6.slice(0, lan6.indexOf("/"));
  await terminalOf(world).machine.sh(`ip -6 route replace fd20::/64 via ${router} dev eth0`);
  return engine;
}
