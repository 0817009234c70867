/** What to say in each phase of the session. @core */
import type { SessionPhase } from "../../gateway/view.ts";
import { type Language, portalMessages } from "../i18n/messages.ts";
import { formatClock, formatDay } from "../shared/format.ts";
import type { PortalShare, Told } from "./state.ts";

/** How urgent a notice is, for colour and for screen readers. */
export type Tone = "idle" | "busy" | "ask" | "good" | "bad";

/** What the portal says of a phase of the session. */
export interface PhaseNotice {
  readonly tone: Tone;
  readonly title: string;
  /** Sentences, one paragraph each. */
  readonly lines: readonly string[];
  /** Said with emphasis, a line each: a wrong PIN, the last try. */
  readonly alert?: string;
  readonly asksPin: boolean;
  /** With the PIN. */
  readonly asksUserId?: boolean;
  /** The way out for whose PIN waits. */
  readonly button?: string;
}

export function phaseNotice(
  session: Told<SessionPhase>,
  language: Language,
): PhaseNotice {
  const m = portalMessages(language, session.token);
  const plain = (tone: Tone, { title, text }: { title: string; text: string }): PhaseNotice => ({
    tone,
    title,
    lines: [text],
    asksPin: false,
  });
  switch (session.phase) {
    case "no-reader":
      return plain("bad", m.noReader);
    case "no-card":
      return plain("idle", m.noCard);
    case "reading":
      return plain("busy", m.reading);
    case "expired":
      return plain("bad", m.expired(formatDay(session.expiredAt, language)));
    case "pin-asked":
      return pinNotice(session, language);
    case "suspended":
      return {
        tone: "busy",
        title: m.suspended.title,
        lines: [
          m.suspended.text(session.busy, formatClock(session.until, language)),
          m.suspended.goesOn(session.holder),
          ...(session.mine ? [m.suspended.mine] : []),
        ],
        asksPin: false,
        ...(session.mine && { button: m.suspended.giveUp }),
      };
    case "unlocking":
      if (!session.touch) {
        const notice = plain("busy", m.unlocking);
        return session.slow ? { ...notice, lines: [...notice.lines, m.slow] } : notice;
      }
      // That the PIN is right isn't told before the id is known to be.
      return plain("busy", session.asksUserId ? { ...m.touch, text: m.withId.touch } : m.touch);
    case "blocked":
      return plain("bad", m.blocked);
    case "refused":
      return plain("bad", { title: m.refused.title, text: m.refused.fault[session.fault] });
    case "up":
      return {
        tone: "good",
        title: m.up.title,
        lines: [
          m.up.text(session.holder),
          m.up.until(formatDay(session.expiresAt, language)),
          m.up.logOff,
        ],
        asksPin: false,
      };
    case "failed":
      return {
        ...plain("bad", m.failed),
        lines: [m.failed.text, m.failed.reason(session.reason)],
      };
    default:
      return session satisfies never;
  }
}

/** What to say of the shared card, and the words on the button that ends this terminal's part. */
export function shareNotice(
  { holder, place, waiting }: PortalShare,
  language: Language,
): { readonly lines: readonly string[]; readonly button?: string } {
  const m = portalMessages(language).share;
  if (holder?.mine) {
    const others = waiting === 0 ? [] : [m.waiting(waiting)];
    return { lines: [m.mine(formatClock(holder.until, language)), ...others], button: m.giveBack };
  }
  const busy = holder === undefined ? [] : [
    m.busy(holder.label, formatClock(holder.since, language)),
    m.until(formatClock(holder.until, language)),
  ];
  if (place === undefined) {
    return { lines: [...busy, ...(waiting === 0 ? [] : [m.waiting(waiting)])] };
  }
  return { lines: [...busy, m.place(place)], button: m.giveUp };
}

function pinNotice(
  session: Extract<Told<SessionPhase>, { phase: "pin-asked" }>,
  language: Language,
): PhaseNotice {
  const { pinAsked: m, withId } = portalMessages(language, session.token);
  const { holder, triesLeft, wrong, asksUserId = false } = session;
  const wrongText = asksUserId || triesLeft === undefined ? withId.wrong : m.wrong(triesLeft);
  const alert = [...(wrong ? [wrongText] : []), ...(triesLeft === 1 ? [m.lastTry] : [])];
  return {
    tone: "ask",
    title: asksUserId ? withId.title : m.title,
    lines: [
      ...(holder === undefined ? [] : [m.text(holder)]),
      ...(asksUserId ? [withId.text] : []),
      ...(wrong || triesLeft === undefined ? [] : [m.tries(triesLeft)]),
    ],
    ...(alert.length > 0 && { alert: alert.join("\n") }),
    asksPin: true,
    asksUserId,
  };
}
