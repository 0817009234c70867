/** Role dispatch only: each role's code is loaded when it is asked for, and nothing else's. */
import about from "./deno.json" with { type: "json" };

type Role = (args: string[]) => Promise<number>;

/** A role's words in the help, and which function of which module it is. */
interface RoleEntry {
  readonly about: string;
  readonly module: string;
  readonly name: string;
}

/** Their modules are named by strings: see `load`. */
export const ROLES: Readonly<Record<string, RoleEntry>> = {
  gateway: {
    about: "the box: reader, terminals, uplink, portal, panel (--config FILE)",
    module: "./web/gateway_role.ts",
    name: "gatewayRole",
  },
  hub: {
    about: "the VPN endpoint in front of a private network (--config FILE)",
    module: "./hub/role.ts",
    name: "hubRole",
  },
  tunnel: {
    about: "a userspace WireGuard interface, driven by `wg` (IFNAME [--foreground])",
    module: "./tunnel/role.ts",
    name: "tunnelRole",
  },
  token: {
    about: "issue, change, show, import and export what cards and sticks carry",
    module: "./token/role.ts",
    name: "tokenRole",
  },
  softcard: {
    about: "a software card on a virtual reader: PIV, OpenPGP, a purse (--state FILE)",
    module: "./token/softcard/role.ts",
    name: "softcardRole",
  },
  terminal: {
    about: "what a PC on the LAN may run: the gateway's card as its own (reader --gateway HOST)",
    module: "./token/share/terminal_role.ts",
    name: "terminalRole",
  },
  demo: {
    about: "a whole network in namespaces on this machine ([--once] [--json FILE])",
    module: "./tests/demo/role.ts",
    name: "demoRole",
  },
  engine: {
    about: "the key-holding process of one card; started by gateway, never by hand",
    module: "./gateway/engine/role.ts",
    name: "engineRole",
  },
};

if (import.meta.main) Deno.exit(await main(Deno.args));

/** Runs the role that `args` names; resolves to the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--help" || name === "-h") {
    console.log(help());
    return 0;
  }
  if (name === "--version") {
    console.log(`sekisho ${about.version}`);
    return 0;
  }
  if (name === undefined || !Object.hasOwn(ROLES, name)) {
    const said = name === undefined ? "no role given" : `there is no role ${JSON.stringify(name)}`;
    console.error(`Cannot start sekisho: ${said}; use one of ${Object.keys(ROLES).join(", ")}`);
    return 2;
  }
  try {
    const entry = ROLES[name];
    // It is one of its own properties: looked at above.
    if (entry === undefined) return 2;
    const role = await load(entry);
    return await role(rest);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    if (Deno.env.has("SEKISHO_TRACE") && error instanceof Error) console.error(error.stack);
    return 1;
  }
}

/**
 * What an import names by a literal the runtime reads at the start, with all that it imports: every
 * role's code for each role, 6 MiB and half of the time that a start takes. So a packager must be
 * told of these modules.
 */
export async function load({ module, name }: RoleEntry): Promise<Role> {
  const exported = (await import(import.meta.resolve(module)))[name];
  if (typeof exported !== "function") {
    throw new Error(`Cannot start sekisho: ${module} has no ${name}; install it anew`);
  }
  return exported;
}

function help(): string {
  const rows = Object.entries(ROLES).map(([name, { about }]) => `  ${name.padEnd(9)} ${about}`);
  return `sekisho ${about.version}: a card-keyed edge gateway\n\nUsage: sekisho ROLE [arguments]\n\n${
    rows.join("\n")
  }\n\n  ROLE --help tells a role's own arguments; --version the version.\nExit codes: 0 done, 1 failed, 2 wrong usage.`;
}
