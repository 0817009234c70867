/** Terminal, gateway, hub, office server: one TCP stream over IPv6, downwards. */
import { compareGatewayPath } from "./lib/gateway_path.ts";

await compareGatewayPath(
  { name: "the gateway's path, TCP, one stream, IPv6", unit: "Mbit/s", goal: { atLeast: 1.3 } },
  6,
);
