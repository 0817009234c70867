import { allowedIps } from "./allowed_ips_target.ts";
import { deviceTargets } from "./device_targets.ts";
import { offloadTargets } from "./offload_targets.ts";
import type { FuzzTarget } from "./target.ts";
import { textTargets } from "./text_targets.ts";

export const TARGETS: readonly FuzzTarget[] = [
  ...deviceTargets,
  ...textTargets,
  allowedIps,
  ...offloadTargets,
];
