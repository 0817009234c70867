/** Whether this machine's kernel has WireGuard: a reason to skip tests in plain sight if not. */
import { needsRoot } from "../../lab/needs.ts";

export const noKernelWireguard: string | undefined = await whyNot();

async function whyNot(): Promise<string | undefined> {
  if (needsRoot !== undefined) return needsRoot;
  const { success } = await new Deno.Command("unshare", {
    args: ["--net", "ip", "link", "add", "probe0", "type", "wireguard"],
    stdout: "null",
    stderr: "null",
  }).output();
  return success ? undefined : "this kernel has no WireGuard";
}
