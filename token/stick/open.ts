/**
 * From a medium to what it carries: first what needs no password, then what the password opens. Each
 * way in which this fails has its own word.
 */
import { Decrypter } from "age-encryption";
import { readAgeIdentity } from "../profile/age_identity.ts";
import { checkHead } from "../profile/head.ts";
import { openProfile } from "../profile/open.ts";
import type {
  FileKeyIdentity,
  HeadCheck,
  HeadContext,
  IssuerKey,
  Opened,
  OpenOptions,
  ProfileHead,
} from "../profile/types.ts";
import type { StickFault } from "./fault.ts";
import { cardIdOf, decodeStickHead, isPiece, type Piece, type StickHead } from "./head.ts";
import { AREA, COPIES, LONGEST_STICK_HEAD } from "./layout.ts";
import type { StickMedium } from "./medium.ts";
import { BACK_SECTORS, decodeTable, FRONT_SECTORS, SECTOR, TYPE_HIDDEN } from "./partition.ts";
import { openPayload } from "./stream.ts";

/** A stick whose head is genuine and whose sealed parts are what the issuer signed for. */
export interface FoundStick {
  readonly head: StickHead;
  readonly issuer: IssuerKey;
  /** Where the hidden part begins, in bytes. */
  readonly hiddenAt: number;
  /** Its size. */
  readonly hiddenBytes: number;
  /** Where the copy begins that was taken, counted from there; one of `COPIES`. */
  readonly copyAt: number;
  /** The key's container. */
  readonly key: Uint8Array;
  /** The profile's container. */
  readonly profile: Uint8Array;
  /** One copy of the partition table is damaged; the other one was used. */
  readonly damagedTable?: "front" | "back";
  /** Of two copies of head, key and profile one is damaged or older: a renewal was cut off. */
  readonly isHalf?: true;
}

/** Reads everything that needs no password, and checks it. Of two whole copies the newer counts. */
export async function findStick(
  medium: StickMedium,
  issuerKeys: readonly IssuerKey[],
): Promise<FoundStick | StickFault> {
  const hidden = await findHidden(medium);
  if ("fault" in hidden) return hidden;
  const { hiddenAt, damagedTable } = hidden;
  const [first, spare] = COPIES;
  const front = await readCopy(medium, { hiddenAt, copyAt: first, issuerKeys });
  const back = spare + AREA.program <= hidden.bytes
    ? await readCopy(medium, { hiddenAt, copyAt: spare, issuerKeys })
    : "nothing";
  const whole = [front, back].filter(isWhole);
  const best = whole.reduce<Copy | undefined>(
    (one, other) => one !== undefined && one.generation >= other.generation ? one : other,
    undefined,
  );
  if (best === undefined) return worse(front, back);
  const { generation, ...copy } = best;
  const isHalf = back !== "nothing" &&
    (whole.length < COPIES.length || whole.some((one) => one.generation !== generation));
  return {
    ...copy,
    hiddenAt,
    hiddenBytes: hidden.bytes,
    ...(damagedTable === undefined ? {} : { damagedTable }),
    ...(isHalf ? { isHalf } : {}),
  };
}

/** Whether a medium may be a stick at all: it has a hidden part, or had one before it was damaged. */
export async function isStick(medium: StickMedium): Promise<boolean> {
  const hidden = await findHidden(medium);
  return !("fault" in hidden) || hidden.fault === "table-damaged";
}

/** Judges the profile's head, which says who holds the stick and until when. */
export function checkStickProfile(
  found: Pick<FoundStick, "head" | "issuer">,
  context: Omit<HeadContext, "cardId" | "issuerKeys">,
): Promise<HeadCheck> {
  return checkHead(new TextEncoder().encode(found.head.profileHead), {
    ...context,
    cardId: cardIdOf(found.head.stick),
    issuerKeys: [found.issuer],
  });
}

/**
 * Opens the key with the password. The key's bytes were found whole before: what doesn't open is a
 * wrong password, and never damage.
 */
export async function openKey(
  found: FoundStick,
  password: Uint8Array,
): Promise<FileKeyIdentity | "wrong-password"> {
  const identity = await readAgeIdentity(found.key, password);
  if (identity === "wrong-password") return identity;
  if (typeof identity === "string") {
    // Signed as it stands: an issuer that signs what nobody can open is a defect of formatting.
    throw new Error(`Cannot open the stick's key: ${identity}`);
  }
  return identity;
}

/** Opens the profile with the key; its secrets go to native memory. */
export function openStickProfile(
  found: FoundStick,
  options: Pick<OpenOptions, "secrets" | "identity" | "onFileKey"> & { head: ProfileHead },
): Promise<Opened> {
  return openProfile({ ...options, sealed: found.profile, issuerKeys: [found.issuer] });
}

/** Reads and opens the program; what comes out is byte for byte what the issuer signed. */
export async function openProgram(
  medium: StickMedium,
  { found, identity }: { found: FoundStick; identity: FileKeyIdentity },
): Promise<{ program: Uint8Array<ArrayBuffer> } | StickFault> {
  const { program } = found.head;
  const sealed = await medium.read(found.hiddenAt + AREA.program, program.sealedLength);
  if (sealed === undefined) return { fault: "unreadable" };
  if (sealed.length < program.sealedLength) return { fault: "cut-off" };
  const header = sealed.subarray(0, program.head.length);
  const whole: StickFault = { fault: "program-damaged", chunk: 0, chunks: 0 };
  if (!isPiece(header, program.head)) return whole;
  const decrypter = new Decrypter();
  decrypter.addIdentity({ unwrapFileKey: (stanzas) => identity.unwrapFileKey(stanzas) });
  let fileKey: Uint8Array;
  try {
    fileKey = await decrypter.decryptHeader(header);
  } catch {
    return whole;
  }
  const opened = openPayload(sealed.subarray(program.head.length), fileKey);
  fileKey.fill(0);
  if ("chunk" in opened) return { fault: "program-damaged", ...opened };
  if (!isPiece(opened.plaintext, program.plain)) return { fault: "forged" };
  return { program: opened.plaintext };
}

type Copy = Omit<FoundStick, "hiddenAt" | "hiddenBytes" | "damagedTable" | "isHalf"> & {
  readonly generation: number;
};

function isWhole(copy: Copy | StickFault | "nothing"): copy is Copy {
  return typeof copy === "object" && !("fault" in copy);
}

/** Why neither copy is taken: what lies at the beginning has the word, unless a later program wrote. */
function worse(...copies: readonly (Copy | StickFault | "nothing")[]): StickFault {
  const faults = copies.filter((copy) => typeof copy === "object").filter((copy) =>
    "fault" in copy
  );
  return faults.find(({ fault }) => fault === "newer-version") ?? faults[0] ??
    { fault: "head-damaged" };
}

/** One copy of head, key and profile; "nothing" where none was ever written. */
async function readCopy(
  medium: StickMedium,
  { hiddenAt, copyAt, issuerKeys }: {
    hiddenAt: number;
    copyAt: number;
    issuerKeys: readonly IssuerKey[];
  },
): Promise<Copy | StickFault | "nothing"> {
  const start = hiddenAt + copyAt;
  const first = await medium.read(start, LONGEST_STICK_HEAD);
  if (first === undefined) return { fault: "unreadable" };
  if (first.length < LONGEST_STICK_HEAD) return { fault: "cut-off" };
  if (first.every((byte) => byte === 0)) return "nothing";
  const decoded = await decodeStickHead(first, issuerKeys);
  if ("fault" in decoded) return decoded;
  const { head, issuer } = decoded;
  const key = await readPiece(medium, { at: start + AREA.key, piece: head.key });
  if ("fault" in key) return key.fault === "damaged" ? { fault: "key-damaged" } : key;
  const profile = await readPiece(medium, { at: start + AREA.profile, piece: head.profile });
  if ("fault" in profile) {
    return profile.fault === "damaged" ? { fault: "profile-damaged" } : profile;
  }
  const copy = { head, issuer, copyAt, key: key.bytes, profile: profile.bytes };
  const checked = await checkStickProfile(copy, { now: 0, highestGeneration: 0 });
  return { ...copy, generation: checked.result === "fault" ? 0 : checked.head.generation };
}

async function findHidden(
  medium: StickMedium,
): Promise<{ hiddenAt: number; bytes: number; damagedTable?: "front" | "back" } | StickFault> {
  const { sectors } = medium;
  if (sectors < FRONT_SECTORS + BACK_SECTORS) return { fault: "no-stick" };
  const front = await medium.read(0, FRONT_SECTORS * SECTOR);
  const back = await medium.read((sectors - BACK_SECTORS) * SECTOR, BACK_SECTORS * SECTOR);
  if (front === undefined || back === undefined) return { fault: "unreadable" };
  const table = decodeTable({ front, back }, sectors);
  if (table.result === "none") return { fault: "no-stick" };
  if (table.result === "damaged") return { fault: "table-damaged" };
  const hidden = table.partitions.find(({ type }) => type === TYPE_HIDDEN);
  if (hidden === undefined) return { fault: "no-stick" };
  return {
    hiddenAt: hidden.firstSector * SECTOR,
    bytes: hidden.sectors * SECTOR,
    ...(table.damaged === undefined ? {} : { damagedTable: table.damaged }),
  };
}

async function readPiece(
  medium: StickMedium,
  { at, piece }: { at: number; piece: Piece },
): Promise<
  { bytes: Uint8Array } | { fault: "damaged" } | { fault: "cut-off" } | { fault: "unreadable" }
> {
  const bytes = await medium.read(at, piece.length);
  if (bytes === undefined) return { fault: "unreadable" };
  if (bytes.length < piece.length) return { fault: "cut-off" };
  return isPiece(bytes, piece) ? { bytes } : { fault: "damaged" };
}
