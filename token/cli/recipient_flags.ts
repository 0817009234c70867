/** Who else can open a new profile, as the command line says. */
import { makeAgeKey } from "../profile/age_identity.ts";
import { MOST_RECIPIENTS } from "../profile/limits.ts";
import type { ProfileRecipient } from "../profile/profile.ts";
import { UsageError } from "./errors.ts";
import type { FlagKinds, Given } from "./options.ts";
import type { Output } from "./outputs.ts";

/** Flags of every command that may make a recovery identity. */
export const RECOVERY_FLAGS = {
  recovery: "list",
  "new-recovery": "flag",
  "recovery-out": "text",
} as const satisfies FlagKinds;

/** The help lines of {@linkcode RECOVERY_FLAGS}. */
export const RECOVERY_HELP =
  `  --recovery age1...          a stock age recipient that can open the profile too (repeat)
  --new-recovery              make a recovery identity and print it once: keep it in a safe
  --recovery-out FILE         make one and write it to FILE instead`;

/** Recipients beside the card, and what the person at the station must keep. */
export interface AskedRecipients {
  readonly recipients: readonly ProfileRecipient[];
  readonly outputs: readonly Output[];
  /** A secret that is shown once, at the very end. */
  readonly shown: string | undefined;
}

/** Reads {@linkcode RECOVERY_FLAGS}, and makes the identity that they ask for. */
export async function askedRecipients(given: Given): Promise<AskedRecipients> {
  const named = given.list("recovery").map((recipient, index): ProfileRecipient => {
    checkRecipient(recipient);
    return { kind: "recovery", name: `recovery-${index + 1}`, recipient };
  });
  const path = given.text("recovery-out");
  if (given.flag("new-recovery") && path === undefined && given.flag("json")) {
    throw new UsageError("Cannot print a secret within JSON: give --recovery-out FILE");
  }
  if (named.length + 2 > MOST_RECIPIENTS) {
    throw new UsageError(`Cannot seal to more than ${MOST_RECIPIENTS} recipients`);
  }
  if (!given.flag("new-recovery") && path === undefined) {
    return { recipients: named, outputs: [], shown: undefined };
  }
  const { identity, recipient } = await makeAgeKey();
  const file = `# public key: ${recipient}\n${identity}\n`;
  return {
    recipients: [...named, { kind: "recovery", name: "recovery", recipient }],
    outputs: path === undefined ? [] : [{ path, content: file }],
    shown: path === undefined ? file : undefined,
  };
}

/** @throws {UsageError} when it is no stock age recipient. */
export function checkRecipient(recipient: string): void {
  if (!/^age1[a-z0-9]{58}$/.test(recipient)) {
    throw new UsageError(`Cannot seal to ${recipient}: it is no age recipient (age-keygen -y)`);
  }
}
