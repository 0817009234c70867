/** `token issue`: a profile for the card in the reader, with new keys. */
import { makeWireGuardKey } from "../profile/wireguard_key.ts";
import { PROOF_FLAGS, PROOF_HELP, readProofPin } from "./claimed_keys.ts";
import { UsageError } from "./errors.ts";
import { FIELD_FLAGS, FIELD_HELP, readFields } from "./fields.ts";
import { readOptions } from "./options.ts";
import { readPresharedKey } from "./preshared_key.ts";
import { WRITE_FLAGS, WRITE_HELP } from "./write_flags.ts";
import { writeProfile } from "./write_profile.ts";

const HELP = `Usage: token issue --issuer FILE [--from FILE.toml] [options]

Makes a WireGuard key pair, signs the settings, seals both to the card and writes them there.

  --from FILE.toml     the settings; flags override them
${FIELD_HELP}

  --identity KIND      sealed (default): the key is sealed in the profile;
                       on-card: the card makes an X25519 key that never leaves it
  --key-slot SLOT      the on-card key's slot: 82 (default) to 95, or 9d
  --new-key            make a new on-card key there, over any key
  --psk                with a new preshared key; of itself where the suite's keys are manual
  --psk-file FILE      with the preshared key, or manual key, in FILE (base64)

${WRITE_HELP}
${PROOF_HELP}
  --help               this text`;

/** Runs the command. */
export async function issue(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: {
      ...FIELD_FLAGS,
      ...WRITE_FLAGS,
      ...PROOF_FLAGS,
      from: "text",
      identity: "text",
      psk: "flag",
      "psk-file": "text",
    },
  });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const now = Math.floor(Date.now() / 1000);
  const fields = await readFields(given, { path: given.text("from"), now });
  const kind = given.text("identity") ?? "sealed";
  if (kind !== "sealed" && kind !== "on-card") {
    throw new UsageError(`Cannot use --identity ${kind}: expected sealed or on-card`);
  }
  // Before the card makes a key for nothing.
  if (kind === "on-card" && fields.suite === "wireguard-manual-1") {
    throw new UsageError(
      `Cannot use --suite ${fields.suite}: it needs --identity sealed: a card is not asked`,
    );
  }
  const presharedKey = await readPresharedKey(given, fields.suite);
  const identity = kind === "sealed" ? { kind, ...makeWireGuardKey() } as const : { kind } as const;
  const pin = await readProofPin(given);
  await writeProfile(given, { fields, keys: { identity, presharedKey }, now, pin });
  return 0;
}
