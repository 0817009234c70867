/** The walls of the house: imports run downward only, and rooms are entered by their doors. */
import type { Import } from "./imports.ts";

/** Floors from the ground up. Rooms on one floor don't know each other. */
const FLOORS: readonly (readonly string[])[] = [
  ["os"],
  ["tunnel", "token"],
  ["gateway", "hub"],
  ["web"],
  ["main.ts"],
];

/** What the web may know of a gateway or a hub. */
const DOORS: readonly string[] = ["gateway/view.ts", "hub/view.ts"];

/** These put a gateway or a hub and its web together, so they see both. */
const WIRING: readonly string[] = ["web/gateway_role.ts", "web/hub_role.ts"];

/** The one thing of tests/ that is also a role. */
const DEMO = "tests/demo/role.ts";

/** Says what is wrong with an import, or undefined. Tests and benches may see everything. */
export function wallBroken({ from, to }: Import): string | undefined {
  const isTest = /_test\.tsx?$/.test(from) || /^(tests|bench)\//.test(from);
  if (isTest) return undefined;
  if (/_test\.tsx?$/.test(to)) return `${from} imports ${to}: a test is no part of the program`;
  if (/^(tests|bench)\//.test(to)) {
    if (from === "main.ts" && to === DEMO) return undefined;
    return `${from} imports ${to}: the program doesn't stand on its tests`;
  }
  const [own, other] = [roomOf(from), roomOf(to)];
  if (own === other) return undefined;
  const [floor, below] = [floorOf(own), floorOf(other)];
  if (floor < 0) return `${from}: ${own} is no room of the house`;
  if (below < 0) return `${from} imports ${to}: ${other} is no room of the house`;
  if (below === floor) return `${from} imports ${to}: ${own} and ${other} don't know each other`;
  if (below > floor) return `${from} imports ${to}: imports run downward only`;
  const throughWall = own === "web" && (other === "gateway" || other === "hub");
  if (throughWall && !DOORS.includes(to) && !WIRING.includes(from)) {
    return `${from} imports ${to}: the web sees a ${other} only through ${other}/view.ts`;
  }
  return undefined;
}

function roomOf(path: string): string {
  return path.split("/")[0] ?? path;
}

function floorOf(room: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(room));
}
