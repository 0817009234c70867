import assert from "node:assert/strict";
import { Sticks } from "./sticks.ts";

/** Files stand for devices: both are told by whether they are there, and which one it is. */
Deno.test("a stick that comes, goes and is replaced counts as a card that does", async () => {
  const dir = await Deno.makeTempDir();
  const path = `${dir}/stick`;
  const seen: string[] = [];
  let wake = () => {};
  const sticks = new Sticks([path], {
    onChange: () => {
      seen.push(...sticks.readers().map(({ card, counter }) => `${card} ${counter}`));
      wake();
    },
  });
  const until = async (count: number) => {
    while (seen.length < count) await new Promise<void>((resolve) => wake = resolve);
  };
  await until(1);
  await Deno.writeTextFile(path, "one");
  await until(2);
  assert.equal(sticks.deviceOf(`Stick ${path}`), path);
  assert.equal(sticks.deviceOf("Virtual PCD 00 00"), undefined);
  await Deno.writeTextFile(`${dir}/next`, "two");
  await Deno.rename(`${dir}/next`, path);
  await until(3);
  await Deno.remove(path);
  await until(4);
  sticks.stop();
  assert.deepEqual(seen, ["absent 0", "present 1", "present 2", "absent 2"]);
  assert.deepEqual(sticks.view(), [{ name: `Stick ${path}`, card: "absent" }]);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("without a port there are no readers", () => {
  const sticks = new Sticks([], { onChange: () => assert.fail("nothing changes") });
  assert.deepEqual(sticks.readers(), []);
  sticks.stop();
});
