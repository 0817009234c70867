/** `token issue`: a profile for the card in the reader, with new keys. */
import { randomBytes } from "node:crypto";
import { makeWireGuardKey } from "../profile/wireguard_key.ts";
import { CommandError, UsageError } from "./errors.ts";
import { FIELD_FLAGS, FIELD_HELP, readFields } from "./fields.ts";
import { readText } from "./files.ts";
import { type Given, readOptions } from "./options.ts";
import { WRITE_FLAGS, WRITE_HELP, writeProfile } from "./write_profile.ts";

const HELP = `Usage: token issue --issuer FILE [--from FILE.toml] [options]

Makes a WireGuard key pair, signs the settings, seals both to the card and writes them there.

  --from FILE.toml     the settings; flags override them
${FIELD_HELP}

  --identity KIND      sealed (default): the key is sealed in the profile;
                       on-card: the card makes an X25519 key that never leaves it
  --key-slot SLOT      the on-card key's slot: 82 (default) to 95, or 9d
  --new-key            make a new on-card key there, over any key
  --psk                with a new preshared key
  --psk-file FILE      with the preshared key in FILE (base64)

${WRITE_HELP}
  --help               this text`;

/** Runs the command. */
export async function issue(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: {
      ...FIELD_FLAGS,
      ...WRITE_FLAGS,
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
  const presharedKey = await presharedKeyOf(given);
  const kind = given.text("identity") ?? "sealed";
  if (kind !== "sealed" && kind !== "on-card") {
    throw new UsageError(`Cannot use --identity ${kind}: expected sealed or on-card`);
  }
  const identity = kind === "sealed" ? { kind, ...makeWireGuardKey() } as const : { kind } as const;
  await writeProfile(given, { fields, keys: { identity, presharedKey }, now });
  return 0;
}

async function presharedKeyOf(given: Given): Promise<Uint8Array | undefined> {
  const path = given.text("psk-file");
  const isKept = (given.text("peer-out") ?? given.text("psk-out")) !== undefined;
  if (given.flag("psk") && !isKept) {
    throw new UsageError("Cannot make a preshared key: the hub needs it too; give --peer-out FILE");
  }
  if (path === undefined) return given.flag("psk") ? new Uint8Array(randomBytes(32)) : undefined;
  const text = (await readText(path)).trim();
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) {
    throw new CommandError(`Cannot use ${path}: expected 32 bytes in base64 (wg genpsk)`);
  }
  return Uint8Array.fromBase64(text);
}
