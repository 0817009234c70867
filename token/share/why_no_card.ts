/** Asks the gateway's portal why it lends no card, for the person at the terminal. */
import * as v from "valibot";

/** How long the portal may take, in milliseconds. */
const PATIENCE_MS = 3_000;
/** No answer of it is longer, in bytes; who waits is named up to a hundred. */
const LONGEST_ANSWER = 65_536;

/** What the portal says at /api/v1/card, as far as it matters here. */
const ANSWER = v.union([
  v.object({
    open: v.boolean(),
    closed: v.optional(v.string()),
    you: v.optional(v.string()),
  }),
  v.object({ fault: v.string() }),
]);

/** What to tell people of each reason. */
const REASONS: ReadonlyMap<string, string> = new Map(Object.entries({
  "not-shared": "it shares none",
  "not-allowed": "its [share] terminals don't name this terminal; ask the administrator",
  "no-card": "none is in its reader; insert one",
  "locked": "its holder was not verified; enter the PIN at the portal",
  "expired": "the card has expired; ask its issuer to renew it",
  "blocked": "the card's PIN is blocked; its issuer can unblock it",
  "refused": "the gateway does not accept the card; the portal says why",
  "failed": "the card's session failed; take it out and put it in again",
  "stick": "what is in the gateway is a stick; insert a card in its place",
}));

export interface WhyNoCardOptions {
  readonly hostname: string;
  /** The authority that vouches for the gateway, PEM. */
  readonly authority: string;
}

/** A reason in words; undefined when the portal gives none, or can't be asked. */
export async function whyNoCard(
  { hostname, authority }: WhyNoCardOptions,
): Promise<string | undefined> {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  using client = Deno.createHttpClient({ caCerts: [authority] });
  try {
    const response = await fetch(`https://${host}/api/v1/card`, {
      client,
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return reasonIn(await firstBytes(response));
  } catch {
    return undefined; // the way to the reader's port has failed already, and that is told
  }
}

/** The reason in an answer of the portal. */
export function reasonIn(body: Uint8Array): string | undefined {
  let said: unknown;
  try {
    said = JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
  const answer = v.safeParse(ANSWER, said);
  if (!answer.success) return undefined;
  const { output } = answer;
  if ("fault" in output) return REASONS.get(output.fault);
  if (output.you === undefined) return REASONS.get("not-allowed");
  return output.open ? undefined : REASONS.get(output.closed ?? "");
}

async function firstBytes(response: Response): Promise<Uint8Array> {
  const chunks: number[] = [];
  for await (const chunk of response.body ?? []) {
    if (chunks.length + chunk.length > LONGEST_ANSWER) break;
    chunks.push(...chunk);
  }
  return Uint8Array.from(chunks);
}
