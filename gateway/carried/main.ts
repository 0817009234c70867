/** The bundle that a stick carries begins here; see client.ts. */
import { runClient } from "./client.ts";

Deno.exit(await runClient(Deno.args));
