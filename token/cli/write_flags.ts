/** The flags of all that writes a profile, and their help. */
import type { FlagKinds } from "./options.ts";
import { RECOVERY_FLAGS, RECOVERY_HELP } from "./recipient_flags.ts";
import { SPLIT_FLAGS, SPLIT_HELP } from "./split_flags.ts";

/** Flags about card, keys and what is written beside the card. */
export const WRITE_FLAGS = {
  reader: "text",
  issuer: "text",
  "management-key-file": "text",
  "seal-slot": "text",
  "new-seal-key": "flag",
  openpgp: "flag",
  "key-object": "flag",
  "admin-pin-file": "text",
  "key-slot": "text",
  "new-key": "flag",
  ...RECOVERY_FLAGS,
  "backup-out": "text",
  "backup-password-file": "text",
  "bundle-out": "text",
  "peer-out": "text",
  "psk-out": "text",
  ...SPLIT_FLAGS,
  json: "flag",
} as const satisfies FlagKinds;

/** The help lines of {@linkcode WRITE_FLAGS}. */
export const WRITE_HELP = `  --issuer FILE               the issuer's key (token issuer-key)
  --reader NAME               the reader whose name contains NAME, when there are several
  --management-key-file FILE  the card's management key in hexadecimal (else the factory's)
  --seal-slot SLOT            the card's P-256 key that opens the profile: 9d (default), 82 to 95
  --new-seal-key              make a new one there, over any key
  --openpgp                   use the card's OpenPGP application, also where it has PIV; the profile
                              then lies beside the card (--bundle-out)
  --key-object                seal to a new key in its private object 3, so that profiles of before no
                              longer open, wherever copies lie; needs the PIN
  --admin-pin-file FILE       its administrator's PIN, for --new-seal-key
${RECOVERY_HELP}
  --backup-out FILE           a second container that a password opens (stock age tool)
  --backup-password-file FILE its password
  --bundle-out FILE           the profile as a file, sealed as on the card (token put); for a card
                              without room this is where it lies
  --peer-out FILE             what the hub needs of this client, as TOML
  --psk-out FILE              the preshared key, base64 (default: beside --peer-out, with .psk)
${SPLIT_HELP}
  --json                      the summary as one JSON object`;
