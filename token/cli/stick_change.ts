/** A stick's profile, opened at its issuer's station and written again; the stick stays what it is. */
import { SecretMemory } from "../../os/secret_memory.ts";
import { formatBundle } from "../profile/bundle.ts";
import type { IssuerSigner } from "../profile/jws.ts";
import type { ProfileRecipient } from "../profile/profile.ts";
import type { FileKeyIdentity, HeadCheck } from "../profile/types.ts";
import { lookAtTarget, type Target } from "../stick/devices.ts";
import { explainStickFault } from "../stick/fault.ts";
import { ClaimError, VerifyError } from "../stick/format.ts";
import { cardIdOf } from "../stick/head.ts";
import { type OpenMedium, openMedium } from "../stick/medium.ts";
import {
  checkStickProfile,
  findStick,
  type FoundStick,
  openKey,
  openProgram,
  openStickProfile,
} from "../stick/open.ts";
import { rewriteStick } from "../stick/rewrite.ts";
import { type ChangedPieces, piecesOf, resealHidden } from "../stick/seal.ts";
import {
  asOpened,
  type Change,
  identityInFile,
  type Key,
  nextProfile,
  type OpenedProfile,
} from "./change.ts";
import { CommandError } from "./errors.ts";
import { mustBeNew } from "./files.ts";
import { writeWith } from "./outputs.ts";
import { profileFault } from "./read_profile.ts";
import { summarize, type Summary } from "./summary.ts";
import { hubOutputs } from "./profile_files.ts";

/** The name of the recipient that a stick's own password opens. */
export const OWN_KEY = "password";

/** A stick that a command works on. */
export interface OpenedStick {
  readonly target: Target;
  readonly found: FoundStick;
  /** See `cardIdOf`. */
  readonly id: string;
}

/**
 * Finds the stick in a device or a file.
 * @throws {CommandError} when it is in use, damaged, or another issuer's.
 */
export async function findStickFor(path: string, issuer: IssuerSigner): Promise<OpenedStick> {
  const target = await stickTarget(path);
  using medium = await openMedium(target.path);
  const found = await findStick(medium, [issuer.publicKey]);
  if ("fault" in found) {
    if (found.fault !== "forged") throw new CommandError(explainStickFault(found));
    throw new CommandError(
      "Cannot change the profile: only the issuer that made the stick can; use that key",
    );
  }
  if (found.isHalf) {
    console.error("note: one of the stick's two copies is damaged or old; this writes both anew");
  }
  return { target, found, id: cardIdOf(found.head.stick) };
}

/**
 * Opens the stick's profile for a change.
 * @throws {CommandError} when the password is wrong, or something is damaged.
 */
export async function openStickForChange(
  { target, found }: OpenedStick,
  { key, now }: { key: Key; now: number },
): Promise<OpenedProfile> {
  const checked: HeadCheck = await checkStickProfile(found, { now, highestGeneration: 0 });
  if (checked.result === "fault") throw profileFault(checked.fault);
  const { head } = checked;
  const identity = await identityOf(found, key);
  if (key.pin !== undefined) {
    using medium = await openMedium(target.path);
    await mustBeWhole(medium, { found, identity });
  }
  const secrets = SecretMemory.allocate(64);
  try {
    const opened = await openStickProfile(found, { head, identity, secrets });
    if (opened.result === "ok") return asOpened(opened, { head, secrets });
    if (opened.fault !== "other-card") throw profileFault(opened.fault);
    throw new CommandError(
      `Cannot open the profile: it is not sealed to ${key.identityFile}; use the password`,
    );
  } catch (error) {
    secrets.free();
    throw error;
  }
}

/** Signs and seals what was changed to all its recipients, and writes it; the generation rises. */
export async function writeStickChange(
  { target, found }: OpenedStick,
  former: OpenedProfile,
  change: Change,
): Promise<Summary> {
  const { given, issuer, now, recipients, privateKey, presharedKey, files } = change;
  refuseOthers(change);
  const bundle = given.text("bundle-out");
  for (const path of [files.peer, files.psk, bundle]) mustBeNew(path);
  const profile = nextProfile(former, change);
  const pieces = await resealHidden(found, {
    profile,
    keys: {
      ...(privateKey === undefined ? {} : { privateKey }),
      ...(presharedKey === undefined ? {} : { presharedKey }),
    },
    recipients: recipients.flatMap((one) => "recipient" in one ? [one.recipient] : []),
  }, { issuer, now });
  const path = given.text("stick") ?? target.path;
  await writeWith([
    ...change.outputs ?? [],
    ...await hubOutputs(profile, { keys: { presharedKey }, files }),
    ...(bundle === undefined ? [] : [{ path: bundle, content: bundleOf(pieces) }]),
  ], {
    what: "stick",
    write: () =>
      rewriteStick(target, found, piecesOf(found, pieces)).catch((error) => {
        throw stickWriteError(error, path);
      }),
  });
  return summarize(profile, {
    issuer: issuer.publicKey,
    hub: undefined,
    files: {
      stick: target.path,
      bundle,
      ...files,
      psk: presharedKey === undefined ? undefined : files.psk,
    },
  });
}

/**
 * A stick that may be written to.
 * @throws {CommandError} when it may not.
 */
export async function stickTarget(path: string): Promise<Target> {
  let look;
  try {
    look = await lookAtTarget(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new CommandError(`Cannot find the stick ${path}: it is not there; plug it in`);
  }
  if ("refusal" in look) throw new CommandError(`Cannot write ${path}: ${look.refusal}`);
  return look.target;
}

async function identityOf(found: FoundStick, key: Key): Promise<FileKeyIdentity> {
  if (key.identityFile !== undefined) return await identityInFile(key.identityFile, key);
  if (key.pin === undefined) throw new Error("One question has one answer");
  const identity = await openKey(found, key.pin);
  key.pin.fill(0);
  if (identity !== "wrong-password") return identity;
  throw new CommandError("Cannot open the stick: wrong password; try again");
}

/** A new signature must not stand over a program that no longer runs. */
async function mustBeWhole(
  medium: OpenMedium,
  request: { found: FoundStick; identity: FileKeyIdentity },
): Promise<void> {
  const opened = await openProgram(medium, request);
  if ("fault" in opened) {
    throw new CommandError(`${explainStickFault(opened)}: make it anew with token format`);
  }
  opened.program.fill(0);
}

/** What a stick has no room or no use for. */
function refuseOthers({ given, recipients }: Change): void {
  if (recipients.some(({ kind }) => kind === "card")) {
    throw new CommandError(
      "Cannot add a card: a stick's profile is the stick's; issue the card one of its own",
    );
  }
  if (!recipients.some((one: ProfileRecipient) => one.name === OWN_KEY)) {
    throw new CommandError(
      "Cannot remove the stick's password: nothing else opens its program; revoke the stick instead",
    );
  }
  for (const flag of ["share-out", "reader", "management-key-file"]) {
    if (given.text(flag) === undefined) continue;
    throw new CommandError(`Cannot use --${flag} with a stick: it is for cards`);
  }
}

function bundleOf({ profileHead, profile, head }: ChangedPieces): string {
  return formatBundle({ head: profileHead, otherHeads: new Map(), sealed: profile }, head);
}

/** What went wrong in writing, for people. */
export function stickWriteError(error: unknown, path: string): unknown {
  if (error instanceof VerifyError) return new CommandError(error.message);
  if (error instanceof ClaimError) {
    return new CommandError(`Cannot write ${path}: it is in use: ${error.message}`);
  }
  if (error instanceof Error && "code" in error) {
    return new CommandError(`Cannot write ${path}: ${error.message}; do it again`);
  }
  return error;
}
