/** The launcher's bundle begins here; see launcher.ts. */
import { launch } from "./launcher.ts";

Deno.exit(await launch(Deno.args));
