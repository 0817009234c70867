/** Fills the disk under a store, frees it again; prints what the journal made of it. */
import { openStore } from "../../gateway/store/store.ts";

const [dir = ""] = Deno.args;
const store = openStore(`${dir}/state`, { maxPending: 50 });
store.journal.record("info", "before", {});
store.generations.seen("p", 1);

let filled = 0;
const ballast = await Deno.open(`${dir}/ballast`, { create: true, write: true });
try {
  for (;;) filled += await ballast.write(new Uint8Array(4096));
} catch {
  ballast.close();
}

const text = "x".repeat(1000);
const ids = Array.from({ length: 200 }, () => store.journal.record("info", "full", { text }).id);
const warning = store.journal.warning ?? "";
store.generations.seen("p", 7);
const whileFull = {
  read: store.journal.read({ limit: 5 }).map(({ event }) => event),
  generation: store.generations.highest("p"),
};

await Deno.remove(`${dir}/ballast`);
store.journal.record("info", "after", {});
store.generations.seen("q", 1);
const cured = store.journal.warning ?? "";
store.close();

const again = openStore(`${dir}/state`);
console.log(JSON.stringify({
  filled,
  rising: ids.every((id, i) => i === 0 || id > (ids[i - 1] ?? 0)),
  warning,
  whileFull,
  cured,
  journal: again.journal.read({ limit: 200 }).map(({ event, detail }) => ({
    event,
    ...(event === "journal-recovered" ? { detail } : {}),
  })),
  generation: again.generations.highest("p"),
}));
again.close();
