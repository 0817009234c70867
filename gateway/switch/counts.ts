/** Reads counts out of what nftables lists as JSON (libnftables-json(5)). No I/O. */
import * as v from "valibot";
import type { Count } from "./api.ts";

const CounterItem = v.object({
  counter: v.object({ name: v.string(), packets: v.number(), bytes: v.number() }),
});

const SetItem = v.object({ set: v.object({ elem: v.optional(v.array(v.unknown()), []) }) });

const Element = v.object({
  elem: v.object({ val: v.string(), counter: v.object({ bytes: v.number() }) }),
});

/** Named counters; what is no counter is passed over. */
export function readCounters(listing: readonly unknown[]): Map<string, Count> {
  const counts = new Map<string, Count>();
  for (const item of listing) {
    if (!v.is(CounterItem, item)) continue;
    const { name, packets, bytes } = item.counter;
    counts.set(name, { packets, bytes });
  }
  return counts;
}

/** Bytes for each address of the one set listed. */
export function readTraffic(listing: readonly unknown[]): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const item of listing) {
    const set = v.safeParse(SetItem, item);
    if (!set.success) continue;
    for (const element of set.output.set.elem) {
      if (v.is(Element, element)) bytes.set(element.elem.val, element.elem.counter.bytes);
    }
  }
  return bytes;
}
