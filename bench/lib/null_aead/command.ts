import { fileURLToPath } from "node:url";
import about from "../../../deno.json" with { type: "json" };
import { selfCommand } from "../../../os/self_command.ts";

/** How our tunnel is started without AEAD; the import map that does it is written to `folder`. */
export async function nullAeadCommand(folder: string): Promise<readonly string[]> {
  const real = import.meta.resolve("../../../tunnel/protocol/native.ts");
  const map = `${folder}/null-aead.json`;
  // deno.json's names mean their subpaths too; in a plain import map these are said apart.
  const subpaths = Object.entries(about.imports).map(([name, to]) => {
    return [`${name}/`, `${to.replace(/^npm:/, "npm:/")}/`];
  });
  await Deno.writeTextFile(
    map,
    JSON.stringify({
      imports: {
        ...about.imports,
        ...Object.fromEntries(subpaths),
        [real]: import.meta.resolve("./native.ts"),
      },
      scopes: { [import.meta.resolve("./")]: { [real]: real } },
    }),
  );
  const [deno, run = "", ...rest] = selfCommand("tunnel", ["--foreground"]);
  const lock = fileURLToPath(import.meta.resolve("../../../deno.lock"));
  return [deno, run, "--import-map", map, "--lock", lock, ...rest];
}
