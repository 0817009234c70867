/** What a stick's hidden part holds, made: the key under the password, profile and program for it. */
import { Encrypter } from "age-encryption";
import type { IssuerSigner } from "../profile/jws.ts";
import type { Profile } from "../profile/profile.ts";
import { sealProfile } from "../profile/seal.ts";
import type { ProfileKeys } from "../profile/settings.ts";
import { encodeStickHead, pieceOf } from "./head.ts";
import { AREA, LARGEST_PROGRAM } from "./layout.ts";
import type { FoundStick } from "./open.ts";

export interface HiddenContent {
  /** 16 bytes in hexadecimal; the profile's card id names it too. */
  readonly stick: string;
  readonly profile: Profile;
  readonly keys: ProfileKeys;
  /** The age identity under the password, and whom it is for (`makePasswordIdentity`). */
  readonly key: { readonly recipient: string; readonly file: Uint8Array };
  readonly program: Uint8Array;
  readonly programVersion: string;
}

export interface HiddenOptions {
  readonly issuer: IssuerSigner;
  /** Unix seconds. */
  readonly now: number;
  /** More age recipients of the profile (`age1…`). */
  readonly recovery?: readonly string[];
}

/** Bytes and where they belong, counted from the hidden part's start. The head is the last one. */
export type HiddenPieces = readonly { readonly at: number; readonly bytes: Uint8Array }[];

/** Signs and seals. The caller wipes the keys. */
export async function sealHidden(
  content: HiddenContent,
  options: HiddenOptions,
): Promise<HiddenPieces> {
  const { issuer, now, recovery = [] } = options;
  const { key } = content;
  const profile = await sealProfile({ profile: content.profile, ...content.keys }, {
    issuer,
    recovery: [key.recipient, ...recovery],
  });
  const program = await sealProgram(content.program, key.recipient);
  const head = await encodeStickHead({
    stick: content.stick,
    madeAt: now,
    profileHead: new TextDecoder().decode(profile.head),
    key: pieceOf(key.file),
    profile: pieceOf(profile.sealed),
    program: {
      version: content.programVersion,
      sealedLength: program.length,
      head: pieceOf(program.subarray(0, headerLength(program))),
      plain: pieceOf(content.program),
    },
  }, issuer);
  return [
    { at: AREA.key, bytes: key.file },
    { at: AREA.profile, bytes: profile.sealed },
    { at: AREA.program, bytes: program },
    { at: AREA.head, bytes: head },
  ];
}

/** What a stick gets when its profile changes; key and program stay. */
export interface ChangedContent {
  readonly profile: Profile;
  readonly keys: ProfileKeys;
  /** Everybody who can open the profile, the stick's own key among them (`age1…`). */
  readonly recipients: readonly string[];
}

/** A head and profile that take the place of those on a stick. */
export interface ChangedPieces {
  /** The profile's own head, as `head` has it too. */
  readonly profileHead: Uint8Array;
  readonly profile: Uint8Array;
  /** The stick's head, framed. */
  readonly head: Uint8Array;
}

/** What is to be written, counted from a copy's start. */
export function piecesOf(
  { key }: Pick<FoundStick, "key">,
  { profile, head }: Omit<ChangedPieces, "profileHead">,
): HiddenPieces {
  return [
    { at: AREA.key, bytes: key },
    { at: AREA.profile, bytes: profile },
    { at: AREA.head, bytes: head },
  ];
}

/** Signs and seals another profile for a stick. The caller wipes the keys. */
export async function resealHidden(
  { head }: Pick<FoundStick, "head">,
  content: ChangedContent,
  { issuer, now }: { issuer: IssuerSigner; now: number },
): Promise<ChangedPieces> {
  const profile = await sealProfile({ profile: content.profile, ...content.keys }, {
    issuer,
    recovery: content.recipients,
  });
  const { v: _version, ...rest } = head;
  const next = await encodeStickHead({
    ...rest,
    madeAt: now,
    profileHead: new TextDecoder().decode(profile.head),
    profile: pieceOf(profile.sealed),
  }, issuer);
  return { profileHead: profile.head, profile: profile.sealed, head: next };
}

async function sealProgram(program: Uint8Array, recipient: string): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const sealed = await encrypter.encrypt(program);
  if (sealed.length > LARGEST_PROGRAM) {
    throw new RangeError(`Cannot carry the program: ${sealed.length} bytes of ${LARGEST_PROGRAM}`);
  }
  return sealed;
}

/** The header ends with the line of its MAC (age-encryption.org/v1, "Header"). */
function headerLength(sealed: Uint8Array): number {
  const text = new TextDecoder("latin1").decode(sealed.subarray(0, 4096));
  return text.indexOf("\n", text.indexOf("\n--- ") + 1) + 1;
}
