/** What the gateway asks of the policy routes. */
import type { SessionGrant } from "../switch/grant.ts";

export interface Uplink {
  /** Kernel settings, rules, and the tables locked: nothing of a terminal has a way out. Idempotent. */
  prepare(): Promise<void>;
  /** Opens the ways of this session. The tunnel interface must exist, up. */
  open(grant: SessionGrant): Promise<void>;
  /** Takes the session's ways away; what closes the others stays, as the ruleset does. */
  close(): Promise<void>;
}
