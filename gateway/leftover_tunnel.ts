/** Takes away a tunnel in the kernel whose engine is dead: its keys would live on there. */
import { KernelDevice } from "../tunnel/kernel/kernel_device.ts";
import type { GatewayConfig } from "./config/gateway_config.ts";
import type { Store } from "./store/api.ts";

/** To be called only while no engine runs. Writes down what it found; an interface of another kind stays. */
export function removeLeftoverTunnel({ tunnel }: GatewayConfig, store: Store): void {
  if (!KernelDevice.removeLeftover(tunnel.interface)) return;
  store.journal.record("warning", "leftover-tunnel-removed", { interface: tunnel.interface });
}
