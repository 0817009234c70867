/** `token change-pin` and `token unblock`. */
import { pinFault, withCard } from "./card.ts";
import { CARD_FLAGS, CARD_HELP, PIN_FLAGS, readOptions } from "./options.ts";
import { readSecrets } from "./secret_input.ts";

const CHANGE_HELP = `Usage: token change-pin [options]

Sets a new PIN of 6 to 8 characters in place of the old one.

${CARD_HELP}
  --pin-stdin       read the old and the new PIN from standard input, one in a line
  --pin-file FILE   read them from FILE
  --help            this text`;

const UNBLOCK_HELP = `Usage: token unblock [options]

Sets a new PIN, with all its tries, by the card's PUK.

${CARD_HELP}
  --pin-stdin       read the PUK and the new PIN from standard input, one in a line
  --pin-file FILE   read them from FILE
  --help            this text`;

/** Runs `change-pin`. */
export async function changePin(args: string[]): Promise<number> {
  const given = readOptions(args, { flags: { ...CARD_FLAGS, ...PIN_FLAGS } });
  if (given === "help") {
    console.log(CHANGE_HELP);
    return 0;
  }
  const [old, fresh] = await readSecrets(given, ["PIN", "new PIN"]);
  if (old === undefined || fresh === undefined) throw new Error("Two questions have two answers");
  await withCard(given.text("reader"), async ({ piv }) => {
    const fault = pinFault("PIN", await piv.changePin({ old, new: fresh }));
    if (fault !== undefined) throw fault;
  });
  console.log("The PIN is changed.");
  return 0;
}

/** Runs `unblock`. */
export async function unblock(args: string[]): Promise<number> {
  const given = readOptions(args, { flags: { ...CARD_FLAGS, ...PIN_FLAGS } });
  if (given === "help") {
    console.log(UNBLOCK_HELP);
    return 0;
  }
  const [puk, fresh] = await readSecrets(given, ["PUK", "new PIN"]);
  if (puk === undefined || fresh === undefined) throw new Error("Two questions have two answers");
  await withCard(given.text("reader"), async ({ piv }) => {
    const fault = pinFault("PUK", await piv.unblockPin({ puk, new: fresh }));
    if (fault !== undefined) throw fault;
  });
  console.log("The PIN is set and has all its tries.");
  return 0;
}
