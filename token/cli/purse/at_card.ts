/** The purse on the card in this command's reader. */
import { StoredValueClient } from "../../stored_value/client.ts";
import type { PurseStatus } from "../../stored_value/wire.ts";
import { withSession } from "../card.ts";
import { CommandError } from "../errors.ts";
import type { Given } from "../options.ts";

export async function withPurse(
  given: Given,
  work: (client: StoredValueClient) => Promise<void>,
): Promise<void> {
  await withSession(given.text("reader"), async (session) => {
    const client = new StoredValueClient(session);
    if (!(await client.select())) {
      throw new CommandError(
        `Cannot use the card in ${session.reader}: it has no stored-value application`,
      );
    }
    await work(client);
  });
}

export async function statusOf(client: StoredValueClient): Promise<PurseStatus> {
  const status = await client.status();
  if (status !== undefined) return status;
  throw new CommandError("Cannot read the purse: the card has none; see token purse install");
}

export function showPurse(status: PurseStatus): void {
  const { limits } = status;
  const pin = status.pinTries === undefined ? "none" : `${status.pinTries} tries left`;
  console.log(
    [
      `purse:       ${status.cardId.toHex()}${status.isClosed ? " (closed)" : ""}`,
      `balance:     ${status.balance} (currency ${status.currency})`,
      `limits:      balance ${limits.balance}, debit ${limits.debit}`,
      `without PIN: ${limits.withoutPin} at once, ${status.withoutPinLeft} more together`,
      `PIN:         ${pin}`,
    ].join("\n"),
  );
}
