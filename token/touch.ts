/** Keys that work only once their holder touches the card: they get the time, and people are told. */
import { CardRefusedError } from "./apdu/channel.ts";
import type { OpeningCard } from "./openpgp/card_identity.ts";
import type { OpenPgpClient } from "./openpgp/client.ts";
import type { PivClient } from "./piv/client.ts";
import { ANSWER_MS, TOUCH_POLICY } from "./piv/constants.ts";

/** A PIV card's private operations. */
export type TouchedPiv = Pick<PivClient, "agree" | "sign">;

type OnTouch = (wanted: boolean) => void;

/** Private operations of a PIV card; the policy of each key is asked once. */
export function touchedPiv(
  piv: Pick<PivClient, "agree" | "sign" | "metadata">,
  onTouch: OnTouch,
): TouchedPiv {
  const policies = new Map<number, boolean>();
  const wants = async (slot: number): Promise<boolean> => {
    const known = policies.get(slot);
    if (known !== undefined) return known;
    const { touchPolicy = TOUCH_POLICY.never } = await piv.metadata(slot) ?? {};
    policies.set(slot, touchPolicy > TOUCH_POLICY.never);
    return touchPolicy > TOUCH_POLICY.never;
  };
  return {
    agree: async (slot, request) =>
      await touched(
        await wants(slot),
        onTouch,
        (bound) => piv.agree(slot, { ...request, ...bound }),
      ),
    sign: async (slot, request) =>
      await touched(
        await wants(slot),
        onTouch,
        (bound) => piv.sign(slot, { ...request, ...bound }),
      ),
  };
}

/** What opening needs of an OpenPGP card; whether its key wants a touch is asked once. */
export function touchedOpenPgp(
  card: OpeningCard & Pick<OpenPgpClient, "wantsTouch">,
  onTouch: OnTouch,
): OpeningCard {
  let wants: boolean | undefined;
  return {
    privateObject: (tag) => card.privateObject(tag),
    async agree(request) {
      wants ??= await card.wantsTouch();
      return await touched(wants, onTouch, (bound) => card.agree({ ...request, ...bound }));
    },
  };
}

async function touched<T>(
  wanted: boolean,
  onTouch: OnTouch,
  work: (bound: { answerMs?: number }) => Promise<T>,
): Promise<T> {
  if (!wanted) return await work({});
  onTouch(true);
  try {
    return await work({ answerMs: ANSWER_MS.touch });
  } catch (error) {
    if (!(error instanceof CardRefusedError)) throw error;
    // Whatever else a card answers to that: its PIN was right a moment ago.
    throw new CardRefusedError(
      "Cannot unlock: the card's key was not touched in time; enter the PIN again and touch it",
      error.sw,
    );
  } finally {
    onTouch(false);
  }
}
