/** What stood around a failure: the last words of the journals, links and counters of the box. */
import { DatabaseSync } from "node:sqlite";
import type { World } from "./world.ts";

/** Events of each box's journal that are told with a failure. */
const LAST_EVENTS = 14;

/** Rejects with the same error, and under its message what the boxes had written down by then. */
export async function withCircumstances(world: World, telling: () => Promise<void>): Promise<void> {
  try {
    await telling();
  } catch (error) {
    if (error instanceof Error) error.message += `\n${await circumstances(world)}`;
    throw error;
  }
}

async function circumstances(world: World): Promise<string> {
  const lines = world.boxes.flatMap((box) => [
    `${box.machine.name}, engines ${box.engines().join(" ") || "none"}, journal:`,
    ...journalOf(box).slice(-LAST_EVENTS),
  ]);
  const [box] = world.boxes;
  const { stdout } = await box.machine.run([
    ...["sh", "-c", "ip -s link show; nft list counters; conntrack -L 2>/dev/null | head -20"],
  ]);
  return [...lines, stdout].join("\n");
}

function journalOf(box: World["boxes"][number]): string[] {
  try {
    using database = new DatabaseSync(`${box.state}/gateway.db`, { readOnly: true });
    return database.prepare("SELECT event, detail FROM journal ORDER BY id").all()
      .map(({ event, detail }) => `  ${event} ${detail}`);
  } catch (error) {
    return [`  cannot read it: ${error instanceof Error ? error.message : error}`];
  }
}
