/** The role `token`: cards and what they carry, from the command line. */
import { UsageError } from "./cli/errors.ts";
import { isExpected } from "./cli/expected.ts";

type Command = (args: string[]) => Promise<number>;

const COMMANDS: Readonly<Record<string, { about: string; load: () => Promise<Command> }>> = {
  list: {
    about: "readers, and the cards in them",
    load: async () => (await import("./cli/list.ts")).list,
  },
  show: {
    about: "a card and its profile (never a key)",
    load: async () => (await import("./cli/show.ts")).show,
  },
  "issuer-key": {
    about: "make the key that signs profiles",
    load: async () => (await import("./cli/issuer_key.ts")).issuerKey,
  },
  issue: {
    about: "write a new profile to a card",
    load: async () => (await import("./cli/issue.ts")).issue,
  },
  edit: {
    about: "change a card's profile; its keys stay",
    load: async () => (await import("./cli/edit.ts")).edit,
  },
  renew: {
    about: "give a card's profile another expiry",
    load: async () => (await import("./cli/edit.ts")).renew,
  },
  batch: {
    about: "issue cards from a CSV file, one after another",
    load: async () => (await import("./cli/batch.ts")).batch,
  },
  revoke: {
    about: "take profiles back",
    load: async () => (await import("./cli/revoke.ts")).revoke,
  },
  recipient: {
    about: "who can open a card's profile",
    load: async () => (await import("./cli/recipient.ts")).recipient,
  },
  passkey: {
    about: "the passkeys that open a card's profile at a gateway",
    load: async () => (await import("./cli/passkey.ts")).passkey,
  },
  "card-key": {
    about: "write down a second card's key",
    load: async () => (await import("./cli/card_file.ts")).cardKey,
  },
  put: {
    about: "write a profile from a file to a card",
    load: async () => (await import("./cli/put.ts")).put,
  },
  format: {
    about: "make a USB stick that carries client and profile",
    load: async () => (await import("./cli/format.ts")).format,
  },
  import: {
    about: "write a wg-quick file to a card",
    load: async () => (await import("./cli/import.ts")).importFile,
  },
  export: {
    about: "write a card's profile as a wg-quick file",
    load: async () => (await import("./cli/export.ts")).exportFile,
  },
  purse: {
    about: "money on a card: make an issuer, install, top up, show",
    load: async () => (await import("./cli/purse.ts")).purse,
  },
  "change-pin": {
    about: "set a new PIN by the old one",
    load: async () => (await import("./cli/pins.ts")).changePin,
  },
  unblock: {
    about: "set a new PIN by the PUK",
    load: async () => (await import("./cli/pins.ts")).unblock,
  },
};

/**
 * Runs one command of `token`. Resolves to the exit code: 0 done, 1 failed (one line on stderr),
 * 2 wrong usage.
 */
export async function tokenRole(args: string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h") {
    (name === undefined ? console.error : console.log)(usage());
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    console.error(`Cannot run token ${name}: no such command; see token --help`);
    return 2;
  }
  try {
    return await (await command.load())(rest);
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}; see token ${name} --help`);
      return 2;
    }
    if (!isExpected(error)) throw error;
    console.error(error.message);
    return 1;
  }
}

function usage(): string {
  const lines = Object.entries(COMMANDS).map(([name, { about }]) => `  ${name.padEnd(12)}${about}`);
  return `Usage: token COMMAND [options]\n\n${lines.join("\n")}\n\ntoken COMMAND --help says more.`;
}
