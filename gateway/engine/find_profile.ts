/** Where a card's profile lies: on the card, or beside it in the gateway's folder or at a hub. */
import {
  findBundles,
  type FoundBundle,
  headFor,
  keepBundle,
} from "../../token/profile/bundle_folder.ts";
import { fetchProfile, type ProfileStore } from "../../token/profile/store_client.ts";
import { readHead, readSealed } from "../../token/profile/carrier.ts";
import type { HeadCheck, ProfileHead } from "../../token/profile/types.ts";
import type { ProfileFault } from "../view.ts";
import type { HeldCard } from "./held_card.ts";

/** What carries a sealed profile. */
export type ProfileCarrier = "card" | "folder" | "hub";

/** A genuine profile; its sealed part is read when it is wanted. */
export interface FoundProfile {
  readonly carrier: ProfileCarrier;
  readonly head: ProfileHead;
  /** The head as it was signed. */
  readonly bytes: Uint8Array;
  /** `undefined` when it is torn or cut. */
  readonly readSealed: () => Promise<Uint8Array | undefined>;
}

interface Candidate extends Omit<FoundProfile, "head"> {
  readonly check: HeadCheck;
}

/**
 * The newest genuine profile for the card, or why none of those that are there is one. Its own
 * fault counts where the card carries one: beside it lies, at most, a copy. A hub is asked for cards
 * that carry none: no other card waits for it.
 */
export async function findProfile(
  card: HeldCard,
  options: {
    profiles?: string;
    store?: ProfileStore;
    check: (head: Uint8Array) => Promise<HeadCheck>;
    onFault: (message: string) => void;
  },
): Promise<FoundProfile | { readonly fault: ProfileFault }> {
  const { check } = options;
  const faults: ProfileFault[] = [];
  const candidates: Candidate[] = [];
  const own = card.application === "piv" ? await readHead(card.client) : undefined;
  if (own?.result === "fault") faults.push(own.fault);
  if (own?.result === "ok" && card.application === "piv") {
    const { carried } = own;
    candidates.push({
      carrier: "card",
      bytes: carried.head,
      readSealed: () => readSealed(card.client, carried),
      check: await check(carried.head),
    });
  }
  for (const { head, sealed } of await beside(card, options)) {
    candidates.push({
      carrier: "folder",
      bytes: head,
      readSealed: () => Promise.resolve(sealed),
      check: await check(head),
    });
  }
  const kept = own?.result === "ok" ? undefined : await atHub(card, options);
  if (kept !== undefined) {
    candidates.push({
      carrier: "hub",
      bytes: kept.head,
      readSealed: () => Promise.resolve(kept.sealed),
      check: await check(kept.head),
    });
  }
  let newest: FoundProfile | undefined;
  for (const { check, ...rest } of candidates) {
    if (check.result === "fault") faults.push(check.fault);
    else if (newest === undefined || check.head.generation > newest.head.generation) {
      newest = { ...rest, head: check.head };
    }
  }
  if (newest !== undefined) return newest;
  return { fault: faults.find((fault) => fault !== "none-on-card") ?? "none-on-card" };
}

/** A hub that is away is no verdict on the card: what it gave before may lie in the folder. */
async function atHub(
  card: HeldCard,
  { profiles, store, onFault }: {
    profiles?: string;
    store?: ProfileStore;
    onFault: (message: string) => void;
  },
): Promise<FoundBundle | undefined> {
  if (store === undefined) return undefined;
  try {
    const bundle = await fetchProfile(store, card.id);
    const head = bundle && headFor(bundle, card.id);
    if (bundle === undefined || head === undefined) return undefined;
    if (profiles !== undefined) await keepBundle(profiles, bundle, { cardId: card.id });
    return { head, sealed: bundle.sealed };
  } catch (error) {
    onFault(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

/** A folder that can't be read is the administrator's matter: the card may carry its own. */
async function beside(
  card: HeldCard,
  { profiles, onFault }: { profiles?: string; onFault: (message: string) => void },
): Promise<FoundBundle[]> {
  if (profiles === undefined) return [];
  try {
    return await findBundles(profiles, card.id);
  } catch (error) {
    onFault(error instanceof Error ? error.message : String(error));
    return [];
  }
}
