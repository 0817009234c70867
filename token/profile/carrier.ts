/**
 * A profile on a card, in data objects of this project's own range. There are two banks, each with
 * a head and up to eight chunks; a new profile goes to the bank that is not in use, its head last.
 * Wherever the power is cut, the old profile or the new one is there whole.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import type { PivClient } from "../piv/client.ts";
import { OWN_OBJECT_RANGE } from "../piv/constants.ts";
import { decodeCarried, encodeCarried } from "./carried_head.ts";
import { TokenKeepsOthersError, WriteInDoubtError, type Written } from "./in_doubt.ts";
import { CHUNK_BYTES, LARGEST_CONTAINER, MOST_CHUNKS } from "./limits.ts";
import type { CarriedHead, HeadRead } from "./types.ts";

const BANKS = [0, 1] as const;
type Bank = typeof BANKS[number];

/** What the carrier needs of a card. */
export type CarrierCard = Pick<PivClient, "getObject" | "putObject">;

/** Finds the profile that counts. Needs no PIN. */
export async function readHead(card: CarrierCard): Promise<HeadRead> {
  const heads: CarriedHead[] = [];
  const faults: ("damaged" | "newer-version")[] = [];
  for (const bank of BANKS) {
    const bytes = await card.getObject(headTag(bank));
    if (bytes === undefined) continue;
    const head = decodeCarried(bytes, bank);
    if (typeof head === "string") faults.push(head);
    else heads.push(head);
  }
  const [newest] = heads.sort((a, b) => b.sequence - a.sequence);
  if (newest !== undefined) return { result: "ok", carried: newest };
  const fault = faults.includes("newer-version") ? "newer-version" : faults[0] ?? "none-on-card";
  return { result: "fault", fault };
}

/** The sealed bytes that belong to a head; `undefined` when they are torn or cut. */
export async function readSealed(
  card: CarrierCard,
  carried: CarriedHead,
): Promise<Uint8Array | undefined> {
  const { bank, chunks, sealedLength, sealedDigest } = carried;
  const sealed = new Uint8Array(sealedLength);
  let at = 0;
  for (let index = 0; index < chunks; index++) {
    const chunk = await card.getObject(chunkTag(bank, index));
    if (chunk === undefined || at + chunk.length > sealedLength) return undefined;
    sealed.set(chunk, at);
    at += chunk.length;
  }
  const isWhole = at === sealedLength &&
    sha256(sealed).every((byte, index) => byte === sealedDigest[index]);
  return isWhole ? sealed : undefined;
}

/**
 * Writes a profile beside the one that is there, reads it back, and then removes the old one. The
 * card's management key must be proven.
 * @throws {WriteInDoubtError} when the card went while its head was written; {@link
 * TokenKeepsOthersError} when it does not give back what was written. After any other error the old
 * profile counts.
 */
export async function writeProfileToCard(
  card: CarrierCard,
  profile: { head: Uint8Array; sealed: Uint8Array },
): Promise<Written> {
  const { head, sealed } = profile;
  if (sealed.length === 0 || sealed.length > LARGEST_CONTAINER) {
    throw new RangeError(`Cannot write a profile of ${sealed.length} bytes to a card`);
  }
  const current = await readHead(card);
  const old = current.result === "ok" ? current.carried : undefined;
  const bank = old?.bank === 0 ? 1 : 0;
  const chunks = Math.ceil(sealed.length / CHUNK_BYTES);
  await empty(card, bank);
  for (let index = 0; index < chunks; index++) {
    const at = index * CHUNK_BYTES;
    await card.putObject(chunkTag(bank, index), sealed.subarray(at, at + CHUNK_BYTES));
  }
  const carried: CarriedHead = {
    bank,
    sequence: (old?.sequence ?? 0) + 1,
    chunks,
    sealedLength: sealed.length,
    sealedDigest: sha256(sealed),
    head,
  };
  if (await readSealed(card, carried) === undefined) {
    throw keepsOthers();
  }
  try {
    await card.putObject(headTag(bank), encodeCarried(carried));
  } catch (error) {
    throw new WriteInDoubtError(error);
  }
  // The card said that the head is there. It may go now: whoever writes next tidies up.
  try {
    const written = await readHead(card);
    if (written.result !== "ok" || written.carried.bank !== bank) throw keepsOthers();
    await empty(card, bank === 0 ? 1 : 0);
    return "whole";
  } catch (error) {
    if (error instanceof TokenKeepsOthersError) throw error;
    return "untidied";
  }
}

function keepsOthers(): TokenKeepsOthersError {
  return new TokenKeepsOthersError(
    "Cannot write the profile: the card keeps other bytes; use another card",
  );
}

/** Takes a bank's head away first, so that it never speaks for missing chunks. */
async function empty(card: CarrierCard, bank: Bank): Promise<void> {
  const tags = [headTag(bank)];
  for (let index = 0; index < MOST_CHUNKS; index++) tags.push(chunkTag(bank, index));
  for (const tag of tags) {
    if (await card.getObject(tag) !== undefined) await card.putObject(tag, new Uint8Array(0));
  }
}

function headTag(bank: Bank): number {
  return OWN_OBJECT_RANGE.first + bank;
}

function chunkTag(bank: Bank, index: number): number {
  return OWN_OBJECT_RANGE.first + 0x10 + bank * 0x10 + index;
}
