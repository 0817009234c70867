import { allowedIps } from "./allowed_ips_target.ts";
import { cardTargets } from "./card_targets.ts";
import { deviceTargets } from "./device_targets.ts";
import { offloadTargets } from "./offload_targets.ts";
import { profileTargets } from "./profile_targets.ts";
import { shareTargets } from "./share_targets.ts";
import { softcardTargets } from "./softcard_targets.ts";
import { stickTargets } from "./stick_targets.ts";
import type { FuzzTarget } from "./target.ts";
import { textTargets } from "./text_targets.ts";

export const TARGETS: readonly FuzzTarget[] = [
  ...deviceTargets,
  ...textTargets,
  allowedIps,
  ...offloadTargets,
  ...cardTargets,
  ...softcardTargets,
  ...shareTargets,
  ...profileTargets,
  ...stickTargets,
];
