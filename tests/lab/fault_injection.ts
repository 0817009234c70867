/** System calls that fail or wait as a test wants them to, by strace's fault injection. */
import { labTest } from "./needs.ts";

/** A test whose processes run under `injecting`; skipped in plain sight where that can't be. */
export const faultTest: typeof labTest = await canInject()
  ? labTest
  : (name) => Deno.test.ignore(`${name} (skipped: needs strace)`, () => {});

/** The words before a command; `fault` is what strace(1) says of `inject=`. */
export function injecting(fault: string, record: string): string[] {
  const [call = ""] = fault.split(":");
  return [
    ...["strace", "-f", "--seccomp-bpf", "-qq", "-o", record],
    ...["-e", `trace=${call}`, "-e", `inject=${fault}`],
  ];
}

async function canInject(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("strace", {
      args: [...injecting("getppid:error=EPERM", "/dev/null").slice(1), "true"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}
