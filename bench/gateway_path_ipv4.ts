/** Terminal, gateway, hub, office server: one TCP stream over IPv4, downwards. */
import { compareGatewayPath } from "./lib/gateway_path.ts";

await compareGatewayPath(
  { name: "the gateway's path, TCP, one stream, IPv4", unit: "Mbit/s", goal: { atLeast: 1.3 } },
  4,
);
