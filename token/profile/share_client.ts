/** Asks a hub for its half of a split profile, after the card proved itself. */
import { randomBytes } from "node:crypto";
import { PIV_ALGORITHM, type PivAlgorithm } from "../piv/constants.ts";
import { HubLine } from "./hub_line.ts";
import {
  ANSWER_BYTES,
  CHALLENGE_BYTES,
  GREETING,
  makeShareRequest,
  type ShareRefusal,
} from "./share_protocol.ts";
import type { SplitHead } from "./types.ts";

/** How long the hub may take, from the first packet to the answer, in milliseconds. */
const PATIENCE_MS = 10_000;

/** The hub gives its half to nobody, or not to this card. */
export class ShareRefusedError extends Error {
  override readonly name = "ShareRefusedError";
  readonly why: ShareRefusal;

  constructor(why: ShareRefusal) {
    super(`Cannot open the profile: the hub keeps its half back (${why}); ask its administrator`);
    this.why = why;
  }
}

/** No hub answered: it may be tried again. */
export class ShareUnreachableError extends Error {
  override readonly name = "ShareUnreachableError";
}

/** What signing needs of a card; its PIN must be verified. */
export interface SigningCard {
  sign(slot: number, request: { algorithm: PivAlgorithm; input: Uint8Array }): Promise<Uint8Array>;
}

/**
 * Gets the hub's share (17 bytes, to be wiped by the caller).
 * @throws {ShareRefusedError} with the hub's reason; {ShareUnreachableError} when none answers.
 */
export async function fetchShare(card: SigningCard, split: SplitHead): Promise<Uint8Array> {
  const { hub, id, hubKey, proofSlot } = split;
  using line = await HubLine.open(hub, { patienceMs: PATIENCE_MS, unreachable });
  const greeting = await line.read(GREETING.length + CHALLENGE_BYTES);
  if (!GREETING.every((byte, at) => greeting[at] === byte)) {
    throw new ShareUnreachableError(`Cannot ask the hub at ${hub}: something else answers there`);
  }
  const request = await makeShareRequest({
    challenge: greeting.slice(GREETING.length),
    id,
    hubKey,
    secret: new Uint8Array(randomBytes(32)),
    sign: (digest) => card.sign(proofSlot, { algorithm: PIV_ALGORITHM.eccP256, input: digest }),
  });
  await line.write(request.bytes);
  const bytes = await line.read(ANSWER_BYTES);
  const answer = await request.open(bytes);
  bytes.fill(0);
  if (answer === undefined) {
    throw new ShareUnreachableError(`Cannot ask the hub at ${hub}: another hub answers there`);
  }
  if (!answer.granted) throw new ShareRefusedError(answer.why);
  return answer.share;
}

function unreachable(hub: string, why: string): ShareUnreachableError {
  return new ShareUnreachableError(
    `Cannot ask the hub at ${hub} for its half: ${why}; check the Internet uplink`,
  );
}
