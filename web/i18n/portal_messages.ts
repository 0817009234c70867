import type { ProfileFault } from "../../gateway/view.ts";

/** A headline and what to do. */
export interface Notice {
  readonly title: string;
  readonly text: string;
}

/** Everything that the portal says. */
export interface PortalMessages {
  readonly noReader: Notice;
  readonly noCard: Notice;
  /** As `noCard`, where sticks are tokens too. */
  readonly noToken: Notice;
  readonly reading: Notice;
  readonly expired: (date: string) => Notice;
  readonly pinAsked: {
    readonly title: string;
    readonly text: (holder: string) => string;
    readonly tries: (left: number) => string;
    readonly wrong: (left: number) => string;
    readonly lastTry: string;
  };
  /** In place of some of `pinAsked`, where the user id is asked for too. */
  readonly withId: Notice & {
    readonly wrong: string;
    readonly label: string;
    readonly touch: string;
  };
  readonly unlocking: Notice;
  /** Beside `unlocking`, where that takes long. */
  readonly slow: string;
  /** The card waits for a touch. */
  readonly touch: Notice;
  /** A PIN waits for the terminal that has the card. */
  readonly suspended: {
    readonly title: string;
    readonly text: (busy: string, until: string) => string;
    readonly goesOn: (holder: string | undefined) => string;
    readonly mine: string;
    readonly giveUp: string;
  };
  readonly blocked: Notice;
  readonly refused: {
    readonly title: string;
    readonly fault: Readonly<Record<ProfileFault, string>>;
  };
  readonly up: {
    readonly title: string;
    readonly text: (holder: string) => string;
    readonly until: (date: string) => string;
    readonly logOff: string;
  };
  readonly failed: Notice & { readonly reason: (reason: string) => string };
  readonly form: {
    readonly label: string;
    readonly submit: string;
    readonly sending: string;
    readonly privacy: string;
    readonly needsScript: string;
  };
  /** Answers to a PIN that no phase of the session shows by itself. */
  readonly outcome: {
    readonly busy: string;
    readonly notTried: string;
    readonly givenUp: string;
    readonly notAsked: string;
    readonly stale: string;
    readonly cardGone: string;
    readonly unreachable: string;
    readonly tooLong: string;
  };
  /** Passkeys in the place of a PIN or password. */
  readonly passkey: {
    readonly use: string;
    /** They work at the gateway's name only. */
    readonly elsewhere: (name: string) => string;
    readonly add: string;
    readonly addText: string;
    readonly name: string;
    /** What a new one is called where its holder says nothing. */
    readonly usualName: string;
    readonly addSubmit: string;
    readonly asking: string;
    readonly added: string;
    readonly notAdded: string;
    readonly wrong: (left: number) => string;
    /** Why there was no answer; the browser's own words may be among it. */
    readonly none: Readonly<
      Record<"cancelled" | "no-prf" | "refused", (detail: string) => string>
    >;
  };
  /** The shared card: who has it, and who waits. */
  readonly share: {
    readonly busy: (holder: string, since: string) => string;
    readonly until: (until: string) => string;
    readonly mine: (until: string) => string;
    readonly place: (place: number) => string;
    readonly waiting: (count: number) => string;
    readonly giveUp: string;
    readonly giveBack: string;
  };
  readonly speech: { readonly on: string; readonly off: string };
  readonly language: string;
  readonly offline: string;
  /** The page over plain HTTP that leads to the encrypted one. */
  readonly plain: Notice & { readonly warning: string; readonly go: string };
}

/** What is said in other words where the token is a stick. */
export type StickMessages = Pick<
  PortalMessages,
  | ("noCard" | "reading" | "expired" | "pinAsked" | "withId" | "unlocking" | "blocked")
  | ("refused" | "up" | "failed" | "form" | "outcome" | "passkey")
>;

/** What is said about passkeys in the same words of a card and of a stick. */
export type PasskeyMessages = Omit<PortalMessages["passkey"], "addText">;
