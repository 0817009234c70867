/** What a command says of a profile that it issued. */
import type { Given } from "./options.ts";
import { type Summary, summaryLines } from "./summary.ts";

/** Prints the summary, and a secret that is shown once. */
export function sayIssued(given: Given, summary: Summary, shown: string | undefined): void {
  if (Date.parse(summary.expires) <= Date.now()) {
    console.error("warning: the profile has expired already: nobody takes it (--expires)");
  }
  if (given.flag("json")) return console.log(JSON.stringify(summary));
  console.log(
    `Issued profile ${summary.profile} (generation ${summary.generation}) for ` +
      `${summary.holder} to the card ${summary.card}.`,
  );
  for (const line of summaryLines(summary)) console.log(line);
  if (shown === undefined) return;
  console.log(
    `\nThe recovery identity, shown this once. Whoever has it and the sealed profile has the keys ` +
      `in it:\n${shown.trimEnd()}`,
  );
}
