/** The role `terminal`: helpers for a PC on a gateway's LAN. */
import { parseArgs } from "node:util";
import { runTerminalReader } from "./terminal_reader.ts";

const HELP = `Usage: sekisho terminal reader --gateway HOST[:PORT] --ca FILE [--port PORT]

Puts the gateway's card into this machine's own virtual reader (pcscd with vsmartcard's vpcd), so
that programs here use it as if it were local. The way to the gateway is TLS. vpcd itself listens on
every address: keep its port closed to the network, as docs/guide/shared-reader.md says.

  --gateway HOST[:PORT]  the gateway's address and [share] reader_port (default 8444)
  --ca FILE              the gateway's authority, PEM: who may vouch for it
  --port PORT            where vpcd listens on this machine (default 35963, as Debian has it)
  --help                 this text
`;

const DEFAULT_GATEWAY_PORT = 8444;
const DEFAULT_PORT = 35963;

export async function terminalRole(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(HELP.trimEnd());
    return 0;
  }
  const options = optionsOf(args);
  if (typeof options === "string") {
    console.error(`Cannot start the reader: ${options}; see "sekisho terminal --help"`);
    return 2;
  }
  let authority: string;
  try {
    authority = await Deno.readTextFile(options.ca);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.error(`Cannot read the gateway's authority: ${reason}`);
    return 2;
  }
  const ending = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => ending.abort());
  }
  const { gateway, port } = options;
  await runTerminalReader(
    { gateway, authority, port, say: (line) => console.error(line) },
    ending.signal,
  );
  return 0;
}

interface Options {
  readonly gateway: { readonly hostname: string; readonly port: number };
  readonly ca: string;
  readonly port: number;
}

function optionsOf([what, ...args]: readonly string[]): Options | string {
  if (what !== "reader") return what === undefined ? "no helper named" : `there is no ${what}`;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        gateway: { type: "string" },
        ca: { type: "string" },
        port: { type: "string", default: String(DEFAULT_PORT) },
      },
    });
    const gateway = hostPort(values.gateway ?? "");
    const port = portOf(values.port);
    if (gateway === undefined) return "no --gateway HOST[:PORT] given";
    if (values.ca === undefined) return "no --ca FILE given";
    if (port === undefined) return `--port ${values.port} is none`;
    return { gateway, ca: values.ca, port };
  } catch (error) {
    if (error instanceof TypeError) return error.message;
    throw error;
  }
}

/** "192.168.80.1", "[fd80::1]:8444", "gateway.internal:8444". */
function hostPort(text: string): { hostname: string; port: number } | undefined {
  const [, v6, host, digits] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+))(?::(\d+))?$/.exec(text) ??
      [];
  const hostname = v6 ?? host;
  const port = digits === undefined ? DEFAULT_GATEWAY_PORT : portOf(digits);
  return hostname === undefined || port === undefined ? undefined : { hostname, port };
}

function portOf(text: string): number | undefined {
  const port = Number(text);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}
