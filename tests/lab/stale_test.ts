import assert from "node:assert/strict";
import { ownedFolder, removeStaleFolders } from "./stale.ts";

Deno.test("folders of processes that are gone are removed, and no others", async () => {
  const parent = await Deno.makeTempDir();
  const folder = (name: string, owner?: string) => {
    Deno.mkdirSync(`${parent}/${name}`);
    Deno.writeTextFileSync(`${parent}/${name}/content`, "x");
    if (owner !== undefined) Deno.writeTextFileSync(`${parent}/${name}/owner`, owner);
  };
  const own = await ownedFolder();
  const owner = Deno.readTextFileSync(`${own}/owner`);
  folder("sekisho-lab-mine", owner);
  folder("sekisho-lab-reused", `${Deno.pid} 1\n`);
  folder("sekisho-lab-gone", "4194305 12345\n");
  folder("sekisho-lab-unknown");
  folder("sekisho-lab-odd", "not a process");
  folder("other", "4194305 12345\n");
  assert.equal(await removeStaleFolders(parent), 2);
  const left = [...Deno.readDirSync(parent)].map(({ name }) => name).toSorted();
  assert.deepEqual(left, ["other", "sekisho-lab-mine", "sekisho-lab-odd", "sekisho-lab-unknown"]);
  await Deno.remove(parent, { recursive: true });
  await Deno.remove(own, { recursive: true });
});
