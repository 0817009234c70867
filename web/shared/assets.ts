import { type Context, Hono } from "hono";

/** What `deno task build` writes; every page loads nothing else. */
export const ASSET_NAMES = [
  ...["portal.js", "portal.css", "purse.js"] as const,
  ...["panel.js", "panel.css"] as const,
] as const;
export type AssetName = typeof ASSET_NAMES[number];

interface Asset {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly tag: string;
}

/** The bundled client code, held in memory. */
export class Assets {
  readonly #assets: ReadonlyMap<string, Asset>;

  private constructor(assets: ReadonlyMap<string, Asset>) {
    this.#assets = assets;
  }

  /** @throws {Error} when the bundles are not there. */
  static async load(directory: string): Promise<Assets> {
    const files = new Map<AssetName, Uint8Array<ArrayBuffer>>();
    for (const name of ASSET_NAMES) {
      try {
        files.set(name, await Deno.readFile(`${directory}/${name}`));
      } catch (cause) {
        throw new Error(
          `Cannot serve the web pages: ${name} is not in ${directory}; run "deno task build"`,
          { cause },
        );
      }
    }
    return await Assets.of(files);
  }

  static async of(files: ReadonlyMap<AssetName, Uint8Array<ArrayBuffer>>): Promise<Assets> {
    const assets = new Map<string, Asset>();
    for (const [name, bytes] of files) {
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      assets.set(name, { bytes, tag: digest.toHex().slice(0, 16) });
    }
    return new Assets(assets);
  }

  /** Where a page loads this from; changes with the content, so that it may be kept for ever. */
  url(name: AssetName): string {
    const asset = this.#assets.get(name);
    return `/assets/${name}${asset === undefined ? "" : `?v=${asset.tag}`}`;
  }

  /** An app that answers `/:name`. */
  app(): Hono {
    return new Hono().get("/:name", (c) => this.#serve(c, c.req.param("name")));
  }

  #serve(c: Context, name: string): Response {
    const asset = this.#assets.get(name);
    if (asset === undefined) return c.json({ error: `Cannot find ${name}` }, 404);
    const kept = c.req.query("v") === asset.tag;
    return c.body(asset.bytes, 200, {
      "Content-Type": name.endsWith(".css") ? "text/css; charset=utf-8" : "text/javascript",
      "Cache-Control": kept ? "public, max-age=31536000, immutable" : "no-cache",
    });
  }
}
