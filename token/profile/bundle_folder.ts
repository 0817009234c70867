/**
 * Profiles that lie beside their cards, for cards that have no room: a folder of bundles, one file
 * each. Whoever can write there can put in an older or another profile, and no more: the heads are
 * signed and bound to a card, and what is sealed opens on that card only.
 */
import { decodeJwt } from "jose";
import { type Bundle, LONGEST_BUNDLE, parseBundle } from "./bundle.ts";

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

/** The card that a head says it is for. */
function cardOf(head: Uint8Array): unknown {
  try {
    return decodeJwt(new TextDecoder().decode(head))["cardId"];
  } catch {
    return undefined;
  }
}
