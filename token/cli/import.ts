/** `token import`: a profile for the card in the reader, from a file of wg-quick. */
import { parseWgQuick } from "../profile/wg_quick.ts";
import { wireGuardPublicKey } from "../profile/wireguard_key.ts";
import { PROOF_FLAGS, PROOF_HELP, readProofPin } from "./claimed_keys.ts";
import { CommandError, UsageError } from "./errors.ts";
import { FIELD_FLAGS, FIELD_HELP, readFields } from "./fields.ts";
import { readText } from "./files.ts";
import { readOptions } from "./options.ts";
import { WRITE_FLAGS, WRITE_HELP } from "./write_flags.ts";
import { writeProfile } from "./write_profile.ts";

const HELP = `Usage: token import FILE.conf --issuer FILE --client-id ID [options]

Signs the settings of a wg-quick file, seals them with its keys to the card and writes them there.
FILE.conf keeps its keys: delete it when the card works. What a profile can't say (commands, routing
tables, marks, ports, search domains, further peers) is named and left out.

  --peer WHICH         of several peers the one: its number from 1, or its PublicKey
${FIELD_HELP}

${WRITE_HELP}
${PROOF_HELP}
  --help               this text`;

/** Runs the command. */
export async function importFile(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: { ...FIELD_FLAGS, ...WRITE_FLAGS, ...PROOF_FLAGS, peer: "text" },
    positionals: 1,
  });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const [path] = given.positionals;
  if (path === undefined) throw new UsageError("Cannot import: FILE.conf is missing");
  const peer = given.text("peer");
  const parsed = parseWgQuick(await readText(path), peer === undefined ? {} : { peer });
  if (!parsed.ok) throw new CommandError(`Cannot import ${path}: ${parsed.problem}`);
  const { config, warnings } = parsed;
  for (const warning of warnings) console.error(`warning: ${path}: ${warning}`);
  const now = Math.floor(Date.now() / 1000);
  const fields = await readFields(given, {
    now,
    known: {
      addresses: config.addresses,
      dns: config.dns,
      ...(config.mtu === undefined ? {} : { mtu: config.mtu }),
      serverKey: config.serverKey,
      endpoints: [config.endpoint],
      ...(config.persistentKeepalive === undefined
        ? {}
        : { keepalive: config.persistentKeepalive }),
      networks: config.allowedIps,
    },
  });
  const privateKey = Uint8Array.fromBase64(config.privateKey);
  const identity = {
    kind: "sealed",
    privateKey,
    publicKey: wireGuardPublicKey(privateKey),
  } as const;
  const presharedKey = config.presharedKey === undefined
    ? undefined
    : Uint8Array.fromBase64(config.presharedKey);
  // The server has the preshared key already: the file came from it.
  const pin = await readProofPin(given);
  await writeProfile(given, { fields, keys: { identity, presharedKey }, now, pin });
  return 0;
}
