import { parseArgs } from "node:util";

export const USAGE = `Usage: sekisho demo [options]

Builds a whole network in namespaces on this machine (three terminals, two gateways, an Internet,
an office behind a hub), tells the story of a card on it, prints what it measured, and stays up
with the panel's address until Ctrl-C. Needs root. Nothing outlives it.

  --once               end after the story
  --json FILE          write what was measured to FILE
  --hub ours|stock     who plays the hub: Sekisho's own (default), or wireguard-go and wg
  --identity sealed|on-card
                       where the private key is: sealed in the profile (default), or on the card
  --port N             the panel's port on this machine's loopback (default 8443, else any)
  --help               this text

Exit codes: 0 done, 1 the story failed, 2 wrong usage.`;

export interface DemoOptions {
  readonly once: boolean;
  readonly json?: string;
  readonly hub: "ours" | "stock";
  readonly identity: "sealed" | "on-card";
  readonly port: number;
}

/** Reads the command line, or says what is wrong with it. */
export function parseDemoOptions(
  args: readonly string[],
): DemoOptions | "help" | { wrong: string } {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        once: { type: "boolean" },
        json: { type: "string" },
        hub: { type: "string" },
        identity: { type: "string" },
        port: { type: "string" },
        help: { type: "boolean" },
      },
    }));
  } catch (error) {
    const reason = error instanceof Error ? error.message.split(". ")[0] : String(error);
    return { wrong: `Cannot read the command line: ${reason}` };
  }
  if (values.help) return "help";
  const { hub = "ours", identity = "sealed", port = "8443", once = false, json } = values;
  if (hub !== "ours" && hub !== "stock") return { wrong: `Cannot use --hub ${hub}: ours or stock` };
  if (identity !== "sealed" && identity !== "on-card") {
    return { wrong: `Cannot use --identity ${identity}: sealed or on-card` };
  }
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    return { wrong: `Cannot use --port ${port}: a port is expected` };
  }
  return { once, hub, identity, port: Number(port), ...(json === undefined ? {} : { json }) };
}
