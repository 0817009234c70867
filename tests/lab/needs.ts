/** What a test needs of its machine, as a reason to skip it in plain sight. */
export const needsRoot: string | undefined = Deno.uid() === 0
  ? undefined
  : "needs root for network namespaces";

/** Names the reason in the test's title when it must be skipped. */
export function labTest(name: string, run: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({
    name: needsRoot === undefined ? name : `${name} (skipped: ${needsRoot})`,
    ignore: needsRoot !== undefined,
    sanitizeResources: false,
    sanitizeOps: false,
    fn: run,
  });
}
