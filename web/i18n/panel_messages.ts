import type {
  CardView,
  JournalLevel,
  LeaseEndReason,
  ReaderView,
  SessionPhase,
  SharePerson,
  TunnelView,
} from "../../gateway/view.ts";

/** Everything that the panel says. Sizes, times and rates are formatted before. */
export interface PanelMessages {
  readonly title: string;
  readonly language: string;
  readonly signIn: {
    readonly title: string;
    readonly text: string;
    readonly password: string;
    readonly submit: string;
    readonly wrong: string;
    readonly wait: (seconds: number) => string;
    readonly ended: string;
  };
  readonly signOut: string;
  readonly live: string;
  readonly reconnecting: string;
  readonly uptime: string;
  readonly version: string;
  readonly warnings: string;
  readonly session: {
    readonly title: string;
    readonly phase: Readonly<Record<SessionPhase["phase"], string>>;
    readonly note: Readonly<Record<SessionPhase["phase"], string>>;
    readonly holder: string;
    readonly since: string;
    readonly validUntil: string;
    readonly expired: string;
    readonly triesLeft: string;
    readonly touch: string;
    readonly reason: string;
    readonly end: string;
    readonly endAsk: string;
    readonly endConfirm: string;
    readonly endCancel: string;
    readonly endFailed: string;
    readonly fault: Readonly<
      Record<Extract<SessionPhase, { phase: "refused" }>["fault"], string>
    >;
  };
  readonly card: {
    readonly title: string;
    readonly none: string;
    readonly kind: string;
    readonly application: Readonly<Record<CardView["application"], string>>;
    readonly profile: string;
    readonly noProfile: string;
    readonly carrier: Readonly<Record<NonNullable<CardView["carrier"]>, string>>;
    readonly identities: string;
    readonly carriers: string;
  };
  readonly readers: {
    readonly title: string;
    readonly none: string;
    readonly card: Readonly<Record<ReaderView["card"], string>>;
  };
  readonly tunnel: {
    readonly title: string;
    readonly none: string;
    readonly endpoint: string;
    readonly interface: string;
    readonly handshake: string;
    /** Where there are no handshakes. */
    readonly answer: string;
    readonly noHandshake: string;
    readonly identity: string;
    readonly identityWay: Readonly<Record<TunnelView["identity"], string>>;
    readonly keys: string;
    readonly keysWay: Readonly<Record<TunnelView["keys"], string>>;
    readonly carrier: string;
    readonly carrierWay: Readonly<Record<TunnelView["carrier"], string>>;
    readonly addresses: string;
    readonly destinations: string;
    readonly otherTraffic: string;
    readonly otherTrafficWay: Readonly<Record<TunnelView["otherTraffic"], string>>;
    readonly inbound: string;
    readonly inboundNone: string;
    readonly inboundNobody: string;
    readonly sent: string;
    readonly received: string;
    readonly total: string;
    readonly chart: string;
  };
  readonly share: {
    readonly title: string;
    readonly closed: string;
    readonly free: string;
    readonly holder: string;
    readonly since: string;
    readonly until: string;
    readonly way: Readonly<Record<SharePerson["way"], string>>;
    readonly waiting: string;
    readonly more: (count: number) => string;
    readonly limits: (idle: number, hard: number) => string;
    readonly revoke: string;
    readonly revokeFailed: string;
  };
  readonly terminals: {
    readonly title: string;
    readonly none: string;
    readonly name: string;
    readonly lease: string;
    readonly fixed: string;
    readonly upload: string;
    readonly download: string;
  };
  readonly drops: {
    readonly title: string;
    readonly none: string;
    readonly note: string;
    readonly reason: Readonly<Record<string, string>>;
  };
  readonly journal: {
    readonly title: string;
    readonly none: string;
    readonly older: string;
    readonly filter: string;
    readonly atLeast: Readonly<Record<JournalLevel, string>>;
    readonly level: Readonly<Record<JournalLevel, string>>;
    readonly event: Readonly<Record<string, string>>;
    /** Names of details; others are shown as they are. */
    readonly detail: Readonly<Record<string, string>>;
    /** Words for values, by the detail's name; others are shown as they are. */
    readonly value:
      & { readonly reason: Readonly<Record<LeaseEndReason, string>> }
      & Readonly<Record<string, Readonly<Record<string, string>>>>;
  };
  readonly ruleset: {
    readonly title: string;
    readonly show: string;
    readonly failed: string;
  };
  readonly ago: {
    readonly justNow: string;
    readonly seconds: (n: number) => string;
    readonly minutes: (n: number) => string;
    readonly hours: (n: number) => string;
    readonly days: (n: number) => string;
  };
}
