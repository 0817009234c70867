/** Cards in a machine's readers, by the command that people have. */
import assert from "node:assert/strict";
import type { Machine } from "../lab/machine.ts";
import type { Ground } from "./place.ts";
import { MAIN, settings } from "./stick.ts";

/** Issues a profile to the card in the only reader, or the one with `reader` in its name, and tells the hub. */
export async function issueCard(
  { lab, box, hub, server }: Ground,
  { address, name, reader }: { address: string; name: string; reader?: string },
): Promise<void> {
  const said = await tokenIn(box, [
    ...["issue", "--issuer", `${lab.dir}/issuer`, "--json"],
    ...(reader === undefined ? [] : ["--reader", reader]),
    ...settings(server, { name, address }),
  ]);
  const { clientPublicKey: publicKey } = JSON.parse(said);
  await hub.peer({ privateKey: "", publicKey }, `allowed-ips ${address}`);
}

/** What `sekisho token` printed in a machine; fails unless it exits with 0. */
export async function tokenIn(machine: Machine, words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await machine.run([
    ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-check", "--no-prompt", MAIN],
    ...["token", ...words],
  ]);
  assert.equal(code, 0, `token ${words[0]}: ${stdout}${stderr}`);
  return stdout;
}
