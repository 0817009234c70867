/** The keys of a card that a profile is issued with. */
import { randomBytes } from "node:crypto";
import type { PivClient } from "../piv/client.ts";
import { FACTORY_MANAGEMENT_KEY } from "../piv/client_management.ts";
import { KEY_REFERENCE, PIV_ALGORITHM } from "../piv/constants.ts";
import { compressPoint } from "../profile/piv_p256.ts";
import type { CardKey } from "../profile/types.ts";
import { CommandError, UsageError } from "./errors.ts";
import { readText } from "./files.ts";
import type { Given } from "./options.ts";

/** Proves the management key: the one in a file, or the factory's with a warning. */
export async function beAdministrator(piv: PivClient, given: Given): Promise<void> {
  const path = given.text("management-key-file");
  let key = FACTORY_MANAGEMENT_KEY;
  if (path !== undefined) {
    const digits = (await readText(path)).trim();
    if (!/^([0-9a-fA-F]{2}){16,32}$/.test(digits)) {
      throw new CommandError(`Cannot use ${path}: expected 16 to 32 bytes in hexadecimal`);
    }
    key = Uint8Array.fromHex(digits);
  }
  const challenge = new Uint8Array(randomBytes(16));
  if (!await piv.authenticateManagement({ key, challenge })) {
    throw new CommandError(
      path === undefined
        ? "Cannot write the card: it has its own management key; give --management-key-file"
        : `Cannot write the card: the key in ${path} is not its management key`,
    );
  }
  if (path === undefined) {
    console.error(
      "warning: the card still has the factory's management key; whoever holds the " +
        "card can change its profile (but not forge one)",
    );
  }
}

/**
 * The P-256 key of a slot: the one that is there, else a new one.
 * @param options.flag What a person gives to have a new one made.
 */
export async function sealingKey(
  piv: PivClient,
  options: { slot: number; known: CardKey | undefined; renew: boolean; flag?: string },
): Promise<CardKey> {
  const { slot, known, renew, flag = "--new-seal-key" } = options;
  if (!renew) {
    if (known?.slot === slot) return known;
    const there = await piv.metadata(slot);
    if (there !== undefined) return { slot, publicKey: p256Of(slot, there) };
    if (await piv.version() === undefined) {
      throw new CommandError(
        `Cannot tell whether slot ${
          slot.toString(16)
        } has a key, and none is overwritten unasked; ` +
          `give ${flag} to make one`,
      );
    }
  }
  const point = await piv.generateKey(slot, { algorithm: PIV_ALGORITHM.eccP256 });
  return { slot, publicKey: p256Of(slot, { algorithm: PIV_ALGORITHM.eccP256, publicKey: point }) };
}

/** A new X25519 key in a slot that is empty, or that may be overwritten: 32 bytes. */
export async function onCardKey(
  piv: PivClient,
  options: { slot: number; renew: boolean },
): Promise<Uint8Array> {
  const { slot, renew } = options;
  const there = await piv.metadata(slot);
  if (there !== undefined && !renew) {
    if (there.algorithm === PIV_ALGORITHM.x25519 && there.publicKey !== undefined) {
      return there.publicKey;
    }
    throw new CommandError(
      `Cannot make a key in slot ${slot.toString(16)}: another key is there; ` +
        "choose another slot (--key-slot), or give --new-key to overwrite it",
    );
  }
  return await piv.generateKey(slot, { algorithm: PIV_ALGORITHM.x25519 });
}

/** A slot as people write it: 9d, or 82 to 95. */
export function readSlot(given: Given, flag: string, standard: number): number {
  const text = given.text(flag);
  if (text === undefined) return standard;
  const slot = /^[0-9a-fA-F]{2}$/.test(text) ? parseInt(text, 16) : 0;
  const isRetired = slot >= KEY_REFERENCE.firstRetired && slot <= KEY_REFERENCE.lastRetired;
  if (!isRetired && slot !== KEY_REFERENCE.keyManagement) {
    throw new UsageError(`Cannot use --${flag} ${text}: expected 9d, or 82 to 95`);
  }
  return slot;
}

function p256Of(slot: number, key: { algorithm: number; publicKey?: Uint8Array }): Uint8Array {
  const compressed = key.algorithm === PIV_ALGORITHM.eccP256 && key.publicKey !== undefined
    ? compressPoint(key.publicKey)
    : undefined;
  if (compressed === undefined) {
    throw new CommandError(
      `Cannot seal to slot ${slot.toString(16)}: its key is no P-256 key; ` +
        "choose another slot (--seal-slot), or give --new-seal-key to overwrite it",
    );
  }
  return compressed;
}
