/**
 * Profiles that lie beside their cards, for cards that have no room: a folder of bundles, one file
 * each. Whoever can write there can put in an older or another profile, and no more: the heads are
 * signed and bound to a card, and what is sealed opens on that card only.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { decodeJwt } from "jose";
import { type Bundle, formatBundle, LONGEST_BUNDLE, parseBundle } from "./bundle.ts";

/** What the names of a folder's bundles end with. */
export const BUNDLE_ENDING = ".profile";

/** Most files that are looked into for one card. */
export const MOST_BUNDLES = 1_000;

/** A profile for a card as it lies in a folder. Not yet trusted. */
export interface FoundBundle {
  /** The signed head, for `checkHead`. */
  readonly head: Uint8Array;
  readonly sealed: Uint8Array;
}

/**
 * Every profile in the folder whose head names the card; files that are no bundles are left out.
 * @throws {Error} when the folder can't be read, or holds too many files.
 */
export async function findBundles(folder: string, cardId: string): Promise<FoundBundle[]> {
  const found: FoundBundle[] = [];
  for (const name of await namesIn(folder)) {
    const bundle = await readBundle(`${folder}/${name}`);
    const head = bundle && headFor(bundle, cardId);
    if (bundle !== undefined && head !== undefined) found.push({ head, sealed: bundle.sealed });
  }
  return found;
}

/** Keeps what a hub gave, in place of what it gave for that card before. */
export async function keepBundle(
  folder: string,
  bundle: Bundle,
  { cardId }: { cardId: string },
): Promise<void> {
  const name = sha256(new TextEncoder().encode(cardId)).toHex().slice(0, 32);
  const aside = `${folder}/.from-hub-${name}`;
  const [head = new Uint8Array(0), ...others] = bundle.heads;
  const otherHeads = new Map(others.map((one, index) => [String(index), one]));
  await Deno.writeTextFile(aside, formatBundle({ head, otherHeads, sealed: bundle.sealed }), {
    mode: 0o600,
  });
  await Deno.rename(aside, `${folder}/from-hub-${name}${BUNDLE_ENDING}`);
}

/** The bundle's head that names a card. Not yet trusted. */
export function headFor(bundle: Bundle, cardId: string): Uint8Array | undefined {
  return bundle.heads.find((one) => cardOf(one) === cardId);
}

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (name.endsWith(BUNDLE_ENDING)) names.push(name);
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Cannot look for profiles in ${folder}: ${why.slice(0, 120)}; make the folder, or leave ` +
        "token.profiles away",
    );
  }
  if (names.length > MOST_BUNDLES) {
    throw new Error(
      `Cannot look for profiles in ${folder}: it has more than ${MOST_BUNDLES}; remove old ones`,
    );
  }
  return names.sort();
}

async function readBundle(path: string): Promise<Bundle | undefined> {
  try {
    if ((await Deno.stat(path)).size > LONGEST_BUNDLE) return undefined;
    return parseBundle(await Deno.readTextFile(path));
  } catch {
    return undefined; // gone meanwhile, a folder, or not to be read: not this card's
  }
}

/** The generation that a head says it has; 0 when it says none. */
export function generationOf(head: Uint8Array): number {
  const generation = claims(head)["generation"];
  return typeof generation === "number" ? generation : 0;
}

/** The card that a head says it is for. */
function cardOf(head: Uint8Array): unknown {
  return claims(head)["cardId"];
}

function claims(head: Uint8Array): Record<string, unknown> {
  try {
    return decodeJwt(new TextDecoder().decode(head));
  } catch {
    return {};
  }
}
