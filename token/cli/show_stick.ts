/** What `show` tells of a stick; never a key. */
import { SecretMemory } from "../../os/secret_memory.ts";
import { parseIssuerKey } from "../profile/jws.ts";
import type { FileKeyIdentity, ProfileHead } from "../profile/types.ts";
import { explainStickFault } from "../stick/fault.ts";
import { cardIdOf } from "../stick/head.ts";
import { openMedium } from "../stick/medium.ts";
import {
  checkStickProfile,
  findStick,
  type FoundStick,
  openKey,
  openProgram,
  openStickProfile,
} from "../stick/open.ts";
import { CommandError, UsageError } from "./errors.ts";
import type { Given } from "./options.ts";
import { profileFault } from "./read_profile.ts";

/**
 * Describes the stick in a device or a file; with its password also the settings, and whether its
 * program is whole. The password is wiped.
 */
export async function describeStick(
  path: string,
  { given, password }: { given: Given; password: Uint8Array | undefined },
): Promise<Record<string, unknown>> {
  const issuerKeys = given.list("trust").map(parseIssuerKey).filter((key) => key !== undefined);
  if (issuerKeys.length === 0) {
    throw new UsageError("Cannot show a stick: name its issuer (--trust KEY)");
  }
  using medium = await openOr(path);
  const found = await findStick(medium, issuerKeys);
  if ("fault" in found) throw new CommandError(explainStickFault(found));
  const now = Math.floor(Date.now() / 1000);
  const checked = await checkStickProfile(found, { now, highestGeneration: 0 });
  if (checked.result === "fault") throw profileFault(checked.fault);
  const identity = password === undefined ? undefined : await unlocked(found, password);
  const program = identity && await openProgram(medium, { found, identity });
  return {
    stick: path,
    cardId: cardIdOf(found.head.stick),
    madeAt: isoOf(found.head.madeAt),
    programVersion: found.head.program.version,
    ...(found.damagedTable === undefined ? {} : { damagedTable: found.damagedTable }),
    ...(found.isHalf ? { warning: "one of its two copies is damaged or old; renew it again" } : {}),
    ...(program === undefined ? {} : { program: "fault" in program ? program : "whole" }),
    profile: {
      ...headFacts(checked.head),
      expired: checked.result === "expired",
      ...(identity === undefined
        ? {}
        : { settings: await settingsOf(found, { head: checked.head, identity }) }),
    },
  };
}

async function openOr(path: string) {
  try {
    return await openMedium(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`Cannot open ${path}: ${reason}; check the path and your rights`);
  }
}

async function unlocked(found: FoundStick, password: Uint8Array): Promise<FileKeyIdentity> {
  const identity = await openKey(found, password);
  password.fill(0);
  if (identity !== "wrong-password") return identity;
  throw new CommandError("Cannot open the stick: wrong password; try again");
}

function headFacts(head: ProfileHead): Record<string, unknown> {
  const { profileId: id, holder, generation, expiresAt, issuer, asksUserId } = head;
  return { id, holder, generation, expiresAt: isoOf(expiresAt), issuer, asksUserId };
}

async function settingsOf(
  found: FoundStick,
  options: { head: ProfileHead; identity: FileKeyIdentity },
) {
  using secrets = SecretMemory.allocate(64);
  const opened = await openStickProfile(found, { ...options, secrets });
  if (opened.result === "fault") throw profileFault(opened.fault);
  return opened.profile;
}

function isoOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
