/** All that a story happens in: the network, the hub, the gateways, the cards. */
import type { Box } from "./box.ts";
import type { IssuedCards } from "./cards.ts";
import type { Hub } from "./hub.ts";
import type { StoryNetwork } from "./network.ts";
import type { Teller } from "./teller.ts";

export interface Variant {
  readonly hub: "ours" | "stock";
  readonly identity: "sealed" | "on-card";
}

export interface World extends AsyncDisposable {
  readonly variant: Variant;
  readonly teller: Teller;
  readonly network: StoryNetwork;
  readonly hub: Hub;
  readonly boxes: readonly [Box, Box];
  /** Of both panels. */
  readonly adminPassword: string;
  readonly cards: Omit<IssuedCards, "issuer">;
}
