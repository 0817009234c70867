import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";

/**
 * Finds packages where Deno keeps them, so that bundling needs no node_modules folder: for our own
 * files by deno.json's import map, for a package's files by the versions that deno.lock gives it.
 */
export function npmResolver(aliases: Readonly<Record<string, string>> = {}): Plugin {
  return {
    name: "npm-in-deno-cache",
    setup(build) {
      // Bare names only: neither relative, absolute nor with a scheme.
      build.onResolve({ filter: /^[@\w][^:]*$/ }, ({ path, importer, kind }) => {
        if (kind === "entry-point") return undefined;
        const name = aliases[path] ?? path;
        try {
          const found = importer.includes("/registry.npmjs.org/")
            ? createRequire(importer).resolve(name)
            : fileURLToPath(import.meta.resolve(name));
          return { path: found, sideEffects: false };
        } catch (error) {
          const text = `Cannot resolve ${name}: ${error instanceof Error ? error.message : error}`;
          return { errors: [{ text }] };
        }
      });
    },
  };
}
