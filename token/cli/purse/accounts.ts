/** `token purse accounts` and `fund`: what holders have with the issuer. */
import { CommandError } from "../errors.ts";
import type { Given } from "../options.ts";
import { HeldIssuer } from "./issuer.ts";
import { number } from "./numbers.ts";

export async function accounts(given: Given): Promise<void> {
  using held = await HeldIssuer.open(given);
  for (const [card, { funds, currency, pending, isClosed }] of held.issuer.accounts) {
    const way = pending === undefined ? "" : `, ${pending.amount} on its way to the card`;
    console.log(`${card}: ${funds} (currency ${currency})${way}${isClosed ? ", closed" : ""}`);
  }
}

/** Money that a holder has brought to the issuer. */
export async function fund(
  given: Given,
  [card = "", amount]: readonly string[],
): Promise<void> {
  const more = number(amount, "AMOUNT");
  using held = await HeldIssuer.open(given);
  const account = held.issuer.accounts.get(card.toLowerCase());
  if (account === undefined) {
    throw new CommandError(
      `Cannot fund ${card}: there is no such account; see token purse accounts`,
    );
  }
  const funds = account.funds + more;
  await held.keep(Uint8Array.fromHex(card), { ...account, funds });
  console.log(`${card.toLowerCase()}: ${funds} (currency ${account.currency})`);
}
