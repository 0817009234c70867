/** Who is where in the story's network. Documentation prefixes only (RFC 5737, RFC 3849). */

export interface LinkEnd {
  readonly address: string;
  readonly address6: string;
}

export interface NamedEnd extends LinkEnd {
  readonly name: string;
}

/** A subnet between the Internet's router and one box. */
export interface AccessLine {
  readonly router: LinkEnd;
  readonly box: LinkEnd;
  readonly prefix: number;
  readonly prefix6: number;
}

export interface SitePlan {
  readonly name: string;
  readonly lan: {
    /** Of the gateway, with prefix length. */
    readonly address: string;
    readonly address6: string;
    readonly dhcp: { readonly from: string; readonly to: string };
  };
  readonly terminals: readonly string[];
  readonly line: AccessLine;
  /** The line after the provider renumbered it; both subnets are routed all the time. */
  readonly renumbered: AccessLine;
}

const line = (v4: string, first: number, v6: string): AccessLine => ({
  router: { address: `${v4}.${first}`, address6: `${v6}::1` },
  box: { address: `${v4}.${first + 1}`, address6: `${v6}::2` },
  prefix: 28,
  prefix6: 64,
});

export const SITES: readonly [SitePlan, SitePlan] = [
  {
    name: "gateway-1",
    lan: {
      address: "192.168.81.1/24",
      address6: "fd81::1/64",
      dhcp: { from: "192.168.81.100", to: "192.168.81.199" },
    },
    terminals: ["terminal-1", "terminal-2"],
    line: line("198.51.100", 1, "2001:db8:1:1"),
    renumbered: line("203.0.113", 1, "2001:db8:2:1"),
  },
  {
    name: "gateway-2",
    lan: {
      address: "192.168.82.1/24",
      address6: "fd82::1/64",
      dhcp: { from: "192.168.82.100", to: "192.168.82.199" },
    },
    terminals: ["terminal-3"],
    line: line("198.51.100", 17, "2001:db8:1:2"),
    renumbered: line("203.0.113", 17, "2001:db8:2:2"),
  },
];

/** What anybody can reach: a plain web server and a name server. */
export const INTERNET = {
  web: { address: "192.0.2.80", address6: "2001:db8:80::80", name: "www.example.test" },
  dns: { address: "192.0.2.53", address6: "2001:db8:80::53" },
} as const;

export const HUB = {
  line: line("192.0.2", 1, "2001:db8:10:1"),
  port: 51820,
  /** The hub's leg in the office. */
  office: { address: "10.20.0.1", address6: "fd20::1" },
  tunnel: { address: "10.99.0.1", address6: "fd99::1" },
} as const;

export const OFFICE = {
  networks: ["10.20.0.0/24", "fd20::/64"],
  web: { address: "10.20.0.80", address6: "fd20::80", name: "intranet.office.test" },
  dns: { address: "10.20.0.53", address6: "fd20::53" },
  domain: "office.test",
  echoPort: 7,
} as const;

/** The cards' own addresses in the tunnel: these and a number. */
export const CLIENT_NETWORKS = { v4: "10.99.0.", v6: "fd99::" } as const;
