/** Builds what a story happens in, and takes it down again. */
import { Box } from "./box.ts";
import { issueCards } from "./cards.ts";
import type { HubClient } from "./hub.ts";
import { makeKeys } from "./keys.ts";
import { type Site, StoryNetwork } from "./network.ts";
import { startOurHub } from "./our_hub.ts";
import type { SitePlan } from "./plan.ts";
import { startStockHub } from "./stock_hub.ts";
import type { Teller } from "./teller.ts";
import type { Variant, World } from "./world.ts";

export interface WorldOptions {
  /** With profiles that must not count. */
  readonly spoilt?: boolean;
  /** Each gateway keeps its state on a disk of its own of 2 MB, at `TINY_STATE`. */
  readonly tinyState?: boolean;
  /** More tables of the gateways' configuration, as text. */
  readonly tables?: string | ((site: SitePlan) => string);
  /** What the hub lets the office begin towards both cards, and the profile of the direct one too. */
  readonly inbound?: readonly string[];
}

/** Where that disk is, as the machine sees it. */
export const TINY_STATE = "/run/tiny";

/** Everything up and locked, no card in any reader, the terminals with their addresses. */
export async function openWorld(
  variant: Variant,
  teller: Teller,
  { spoilt = false, tinyState = false, tables = "", inbound = [] }: WorldOptions = {},
): Promise<World> {
  await using stack = new AsyncDisposableStack();
  teller.step("Network: three terminals, two gateways, the Internet, the hub, the office");
  const network = stack.use(await StoryNetwork.open());
  const { lab } = network;

  teller.step("Cards issued at a station of their own");
  const hubKeys = makeKeys();
  const { issuer, ...cards } = await issueCards(lab, {
    variant,
    server: hubKeys.public,
    spoilt,
    inbound,
  });

  teller.step(variant.hub === "ours" ? "Hub" : "Hub: stock wireguard-go and wg");
  const clients = [cards.office, cards.direct].map((card): HubClient => ({
    publicKey: card.publicKey,
    addresses: card.addresses,
    inbound,
    ...(card.presharedKey === undefined ? {} : { presharedKey: card.presharedKey.toBase64() }),
  }));
  const start = variant.hub === "ours" ? startOurHub : startStockHub;
  const hub = await start(network, { keys: hubKeys, clients });

  teller.step("Gateways, and addresses for the terminals");
  const adminPassword = crypto.getRandomValues(new Uint8Array(9)).toBase64({
    alphabet: "base64url",
  });
  const startBox = async (site: Site): Promise<Box> => {
    const dir = `${lab.dir}/${site.plan.name}`;
    await Deno.mkdir(dir);
    if (tinyState) {
      await site.gateway.sh(
        `mkdir -p ${TINY_STATE}; mount -t tmpfs -o size=2m,mode=755 tmpfs ${TINY_STATE}`,
      );
    }
    const box = await Box.start(site, {
      ...{ dir, issuers: [issuer], adminPassword },
      tables: typeof tables === "string" ? tables : tables(site.plan),
      ...(tinyState ? { state: `${TINY_STATE}/state` } : {}),
    });
    stack.use(box);
    await site.connectTerminals();
    return box;
  };
  const [site1, site2] = network.sites;
  const boxes = await Promise.all([startBox(site1), startBox(site2)]);
  const open = stack.move();
  return {
    ...{ variant, teller, network, hub, cards, adminPassword },
    boxes,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
