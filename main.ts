/** Role dispatch only: each role's code is loaded when it is asked for, and nothing else's. */
import about from "./deno.json" with { type: "json" };

type Role = (args: string[]) => Promise<number>;

const ROLES: Readonly<Record<string, { about: string; load: () => Promise<Role> }>> = {
  gateway: {
    about: "the box: reader, terminals, uplink, portal, panel (--config FILE)",
    load: async () => (await import("./web/gateway_role.ts")).gatewayRole,
  },
  hub: {
    about: "the VPN endpoint in front of a private network (--config FILE)",
    load: async () => (await import("./hub/role.ts")).hubRole,
  },
  tunnel: {
    about: "a userspace WireGuard interface, driven by `wg` (IFNAME [--foreground])",
    load: async () => (await import("./tunnel/role.ts")).tunnelRole,
  },
  token: {
    about: "issue, change, show, import and export what cards and sticks carry",
    load: async () => (await import("./token/role.ts")).tokenRole,
  },
  softcard: {
    about: "a software card on a virtual reader: PIV, OpenPGP, a purse (--state FILE)",
    load: async () => (await import("./token/softcard/role.ts")).softcardRole,
  },
  terminal: {
    about: "what a PC on the LAN may run: the gateway's card as its own (reader --gateway HOST)",
    load: async () => (await import("./token/share/terminal_role.ts")).terminalRole,
  },
  demo: {
    about: "a whole network in namespaces on this machine ([--once] [--json FILE])",
    load: async () => (await import("./tests/demo/role.ts")).demoRole,
  },
  engine: {
    about: "the key-holding process of one card; started by gateway, never by hand",
    load: async () => (await import("./gateway/engine/role.ts")).engineRole,
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
    const role = await ROLES[name]?.load();
    return await role?.(rest) ?? 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    if (Deno.env.has("SEKISHO_TRACE") && error instanceof Error) console.error(error.stack);
    return 1;
  }
}

function help(): string {
  const rows = Object.entries(ROLES).map(([name, { about }]) => `  ${name.padEnd(9)} ${about}`);
  return `sekisho ${about.version}: a card-keyed edge gateway\n\nUsage: sekisho ROLE [arguments]\n\n${
    rows.join("\n")
  }\n\n  ROLE --help tells a role's own arguments; --version the version.\nExit codes: 0 done, 1 failed, 2 wrong usage.`;
}
