/** Terminals' rates, from one status to the next. @core */
import type { GatewayStatus } from "../../gateway/view.ts";
import { LEAST_SPACING_MS } from "./throughput.ts";

/** Bytes a second from and to a terminal. */
export interface TerminalRate {
  readonly up: number;
  readonly down: number;
}

/** Each terminal's rate between two statuses, by address; without an entry it is not known yet. */
export function terminalRates(
  before: GatewayStatus | undefined,
  after: GatewayStatus,
): ReadonlyMap<string, TerminalRate> {
  const rates = new Map<string, TerminalRate>();
  if (before === undefined || after.now - before.now < LEAST_SPACING_MS) return rates;
  const seconds = (after.now - before.now) / 1000;
  const known = new Map(before.terminals.map((terminal) => [terminal.address, terminal]));
  for (const { address, sentBytes, receivedBytes } of after.terminals) {
    const past = known.get(address);
    if (past === undefined) continue;
    rates.set(address, {
      up: Math.max(0, sentBytes - past.sentBytes) / seconds,
      down: Math.max(0, receivedBytes - past.receivedBytes) / seconds,
    });
  }
  return rates;
}
