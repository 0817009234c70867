/** What belongs to a profile and lies in files: its sealed forms, and what the hub needs. */
import { stringify } from "smol-toml";
import { formatBundle } from "../profile/bundle.ts";
import type { Profile } from "../profile/profile.ts";
import type { SealedProfile } from "../profile/seal.ts";
import type { Given } from "./options.ts";
import type { Output } from "./outputs.ts";
import { sharePaths } from "./split_flags.ts";
import type { ClientKeys } from "./writing.ts";

/** Where what belongs to a profile goes. */
export interface ProfileFiles {
  readonly peer: string | undefined;
  readonly psk: string | undefined;
  readonly backup?: string | undefined;
  readonly bundle?: string | undefined;
  /** Takes the profile when the card has no room and nobody named another file. */
  readonly beside?: string | undefined;
}

/** The sealed forms of a profile that go into files. */
export function outputsOf(
  { sealed, files, split }: {
    sealed: SealedProfile;
    files: ProfileFiles;
    split: { shareOut: string } | undefined;
  },
): Output[] {
  const outputs: Output[] = [];
  const { backup, bundle } = files;
  if (backup !== undefined && sealed.backup !== undefined) {
    outputs.push({ path: backup, content: sealed.backup });
  }
  if (bundle !== undefined) outputs.push({ path: bundle, content: formatBundle(sealed) });
  if (split !== undefined && sealed.hubShare !== undefined) {
    outputs.push({ path: split.shareOut, content: sealed.hubShare });
    const others = [...sealed.otherShares].map(([cardId, content]) => ({ cardId, content }));
    const paths = sharePaths(split.shareOut, others);
    for (const { cardId, content } of others) {
      outputs.push({ path: paths.get(cardId) ?? "", content });
    }
  }
  return outputs;
}

/** What the hub calls the key that both sides hold. */
const KEY_FILE = {
  "wireguard-1": "preshared_key_file",
  "wireguard-manual-1": "manual_key_file",
} as const satisfies Record<Profile["suite"], string>;

/** What the hub needs of a client. */
export async function hubOutputs(
  profile: Profile,
  { keys, files }: { keys: Pick<ClientKeys, "presharedKey">; files: ProfileFiles },
): Promise<Output[]> {
  const outputs: Output[] = [];
  const { presharedKey } = keys;
  const psk = presharedKey === undefined ? undefined : files.psk;
  if (presharedKey !== undefined && psk !== undefined) {
    outputs.push({ path: psk, content: `${presharedKey.toBase64()}\n` });
  }
  if (files.peer === undefined) return outputs;
  const client = {
    name: profile.clientId,
    public_key: profile.identity.publicKey,
    ...(psk === undefined ? {} : { [KEY_FILE[profile.suite]]: await absolute(psk) }),
    addresses: profile.tunnel.addresses,
    networks: profile.destinations.networks,
    ...(profile.inbound === undefined ? {} : { inbound: profile.inbound }),
    token: { card: profile.cardId, profile: profile.id, generation: profile.generation },
  };
  return [...outputs, { path: files.peer, content: stringify({ client: [client] }) + "\n" }];
}

/** Where the hub's part goes, by the command line. */
export function hubFiles(
  given: Given,
  keys: Pick<ClientKeys, "presharedKey">,
): { peer: string | undefined; psk: string | undefined } {
  const peer = given.text("peer-out");
  const psk = given.text("psk-out") ?? (peer === undefined ? undefined : `${peer}.psk`);
  return { peer, psk: keys.presharedKey === undefined ? undefined : psk };
}

/** The file itself is not there yet, its folder is. */
async function absolute(path: string): Promise<string> {
  const slash = path.lastIndexOf("/");
  const folder = slash < 0 ? "." : path.slice(0, slash + 1);
  return `${(await Deno.realPath(folder)).replace(/\/$/, "")}/${path.slice(slash + 1)}`;
}
