import { ASSET_NAMES, Assets } from "../shared/assets.ts";

/** Bundles with nothing in them, for tests without a browser. */
export function testAssets(): Promise<Assets> {
  return Assets.of(new Map(ASSET_NAMES.map((name) => [name, new TextEncoder().encode(name)])));
}
