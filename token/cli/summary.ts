/** What was issued, for people and programs: everything but secrets. */
import type { Profile } from "../profile/profile.ts";

/** Facts beside the profile itself. */
export interface SummaryContext {
  readonly issuer: string;
  /** The hub of a split profile. */
  readonly hub: string | undefined;
  /** Files that were written, by what they are. */
  readonly files: Readonly<Record<string, string | undefined>>;
}

/** A summary; nothing in it opens anything. */
export interface Summary {
  readonly profile: string;
  readonly generation: number;
  readonly card: string;
  readonly holder: string;
  readonly user: string;
  readonly asksUserId: boolean;
  readonly client: string;
  readonly server: string;
  readonly issuer: string;
  readonly issued: string;
  readonly expires: string;
  readonly suite: string;
  readonly identity: string;
  readonly clientPublicKey: string;
  readonly serverPublicKey: string;
  readonly presharedKey: boolean;
  readonly endpoints: readonly string[];
  readonly addresses: readonly string[];
  readonly dns: readonly string[];
  readonly networks: readonly string[];
  readonly domains: readonly string[];
  readonly otherTraffic: string;
  /** What the inside may begin. */
  readonly inbound: readonly string[];
  readonly recipients: readonly string[];
  readonly otherHalfAt?: string;
  readonly files: Readonly<Record<string, string>>;
}

/** Sums a profile up. */
export function summarize(profile: Profile, context: SummaryContext): Summary {
  const { issuer, hub, files } = context;
  const date = (seconds: number) => new Date(seconds * 1000).toISOString();
  const written = Object.entries(files).flatMap(([what, path]) =>
    path === undefined ? [] : [[what, path] as const]
  );
  return {
    profile: profile.id,
    generation: profile.generation,
    card: profile.cardId,
    holder: profile.user.name,
    user: profile.user.id,
    asksUserId: profile.asksUserId ?? false,
    client: profile.clientId,
    server: profile.serverId,
    issuer,
    issued: date(profile.issuedAt),
    expires: date(profile.expiresAt),
    suite: profile.suite,
    identity: profile.identity.kind,
    clientPublicKey: profile.identity.publicKey,
    serverPublicKey: profile.server.publicKey,
    presharedKey: profile.server.hasPresharedKey,
    endpoints: profile.server.endpoints,
    addresses: profile.tunnel.addresses,
    dns: profile.tunnel.dns,
    networks: profile.destinations.networks,
    domains: profile.destinations.domains,
    otherTraffic: profile.otherTraffic,
    inbound: profile.inbound ?? [],
    recipients: (profile.recipients ?? []).map(({ kind, name }) => `${name} (${kind})`),
    ...(hub === undefined ? {} : { otherHalfAt: hub }),
    files: Object.fromEntries(written),
  };
}

/** The summary as lines, to be shown or printed. */
export function summaryLines(summary: Summary): string[] {
  const rows: [string, string | readonly string[] | undefined][] = [
    ["client public key", summary.clientPublicKey],
    ["profile", `${summary.profile}, generation ${summary.generation}`],
    ["card", summary.card],
    ["holder", `${summary.holder} (${summary.user})`],
    ["asks for", summary.asksUserId ? "user id and PIN or password" : undefined],
    ["client, server", `${summary.client}, ${summary.server}`],
    ["valid", `${summary.issued} to ${summary.expires}`],
    ["issuer", summary.issuer],
    ["private key", summary.identity === "sealed" ? "sealed in the profile" : "on the card only"],
    [
      summary.suite === "wireguard-manual-1" ? "manual key" : "preshared key",
      summary.presharedKey ? "yes" : "no",
    ],
    ["suite", summary.suite],
    ["endpoints", summary.endpoints],
    ["server key", summary.serverPublicKey],
    ["addresses", summary.addresses],
    ["name servers", summary.dns],
    ["networks", summary.networks],
    ["domains", summary.domains],
    ["other traffic", summary.otherTraffic],
    ["the inside may begin", summary.inbound],
    ["opens with", summary.recipients],
    ["other half at", summary.otherHalfAt],
    ...Object.entries(summary.files).map(([what, path]): [string, string] => [what, path]),
  ];
  return rows.flatMap(([name, value]) => {
    const text = Array.isArray(value) ? value.join(", ") : value;
    return text === undefined || text === "" ? [] : [`${name}: ${text}`];
  });
}
