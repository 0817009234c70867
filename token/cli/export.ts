/** `token export`: the card's profile as a file of wg-quick. */
import { SecretMemory } from "../../os/secret_memory.ts";
import type { Profile } from "../profile/profile.ts";
import type { SecretKey } from "../profile/types.ts";
import { formatWgQuick, lostInWgQuick, wgQuickOf } from "../profile/wg_quick.ts";
import { withCard } from "./card.ts";
import { CommandError } from "./errors.ts";
import { writeSecret } from "./files.ts";
import { CARD_FLAGS, CARD_HELP, PIN_FLAGS, PIN_HELP, readOptions } from "./options.ts";
import { findHead, openWithPin, profileFault } from "./read_profile.ts";
import { readSecrets } from "./secret_input.ts";

const HELP = `Usage: token export [--out FILE.conf] [options]

Writes the card's profile as a wg-quick file. The private key then lies in that file, outside the
card's protection. A key that was made on the card can't be exported.

  --out FILE        write to FILE, readable by its owner only (default: standard output)
${CARD_HELP}
${PIN_HELP}
  --trust KEY       an issuer's public key (repeat for several)
  --help            this text`;

/** Runs the command. */
export async function exportFile(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: { ...CARD_FLAGS, ...PIN_FLAGS, trust: "list", out: "text" },
  });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const [pin] = await readSecrets(given, ["PIN"]);
  if (pin === undefined) throw new Error("One question has one answer");
  const file = await withCard(given.text("reader"), async (card) => {
    const found = await findHead(card, given);
    if (typeof found === "string") throw profileFault(found);
    if (found.check.result === "fault") throw profileFault(found.check.fault);
    using secrets = SecretMemory.allocate(64);
    const { head } = found.check;
    const { profile, privateKey, presharedKey } = await openWithPin(card, { ...found, head }, {
      pin,
      secrets,
    });
    if (privateKey === undefined) {
      throw new CommandError(
        "Cannot export the profile: its key was made on the card and never leaves it; " +
          "issue another profile with --identity sealed",
      );
    }
    if (profile.suite !== "wireguard-1") {
      throw new CommandError(
        `Cannot export the profile: a wg-quick file can't say ${profile.suite}, and stock WireGuard ` +
          "knows no manual keys; issue another profile with --suite wireguard-1",
      );
    }
    return format(profile, { privateKey, presharedKey });
  });
  console.error("warning: the private key leaves the card's protection; guard this file");
  const out = given.text("out");
  if (out === undefined) console.log(file);
  else await writeSecret(out, file);
  return 0;
}

function format(
  profile: Profile,
  keys: { privateKey: SecretKey; presharedKey: SecretKey | undefined },
): string {
  for (const lost of lostInWgQuick(profile)) {
    console.error(`warning: a wg-quick file can't say ${lost}`);
  }
  return formatWgQuick(wgQuickOf(profile, {
    privateKey: keys.privateKey.bytes,
    presharedKey: keys.presharedKey?.bytes,
  }));
}
