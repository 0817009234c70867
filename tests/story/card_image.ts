/** A software card's memory, read and changed from outside: what nobody can do with a real card. */
import { Decrypter } from "age-encryption";
import { OWN_OBJECT_RANGE } from "../../token/piv/constants.ts";
import { readHead, readSealed } from "../../token/profile/carrier.ts";
import type { CardState, StoredObject } from "../../token/softcard/state.ts";
import { StateFile } from "../../token/softcard/state_file.ts";

export type CardObjects = ReadonlyMap<number, StoredObject>;

/** The objects in which a card carries its profile. The card must not be in use. */
export function readProfileObjects(path: string): CardObjects {
  return new Map([...loadCard(path).piv.objects].filter(([tag]) => isOwn(tag)));
}

/** Puts these in the place of whatever profile the card carries. The card must not be in use. */
export function writeProfileObjects(path: string, profile: CardObjects): void {
  const state = loadCard(path);
  const others = [...state.piv.objects].filter(([tag]) => !isOwn(tag));
  const objects = new Map([...others, ...profile]);
  if (!new StateFile(path).save({ ...state, piv: { ...state.piv, objects } })) {
    throw new Error(`Cannot change the card ${path}: it can't be written`);
  }
}

/** The sealed container that a card carries: an age file. */
export async function readContainer(path: string): Promise<Uint8Array> {
  const objects = readProfileObjects(path);
  const card = {
    getObject: (tag: number) => Promise.resolve(objects.get(tag)?.bytes),
    putObject: () => Promise.reject(new Error("this card is only read")),
  };
  const head = await readHead(card);
  const sealed = head.result === "ok" ? await readSealed(card, head.carried) : undefined;
  if (sealed === undefined) throw new Error(`Cannot find a whole profile on the card ${path}`);
  return sealed;
}

/** The container's file key, by way of a recovery recipient's identity (`AGE-SECRET-KEY-1…`). */
export async function readFileKey(path: string, identity: string): Promise<Uint8Array> {
  const sealed = await readContainer(path);
  const text = new TextDecoder("latin1").decode(sealed);
  const headerEnd = text.indexOf("\n", text.indexOf("\n--- ") + 1) + 1;
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return await decrypter.decryptHeader(sealed.subarray(0, headerEnd));
}

function loadCard(path: string): CardState {
  const state = new StateFile(path).load();
  if (state === undefined) throw new Error(`Cannot read the card ${path}: it is not there`);
  return state;
}

function isOwn(tag: number): boolean {
  return tag >= OWN_OBJECT_RANGE.first && tag <= OWN_OBJECT_RANGE.last;
}
