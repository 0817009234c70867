/**
 * What start.sh runs on somebody's computer: finds the stick, asks for the password, verifies the
 * program that the hidden part carries, and becomes it, from memory. The password, and everything
 * else that this process knew, goes with its memory at that moment.
 */
import { parseArgs } from "node:util";
import { makeMemoryFile, pipeHolding, replaceProcess } from "../../os/memfd.ts";
import { SecretMemory } from "../../os/secret_memory.ts";
import { CommandError, UsageError } from "../cli/errors.ts";
import { readSecrets } from "../cli/secret_input.ts";
import { equalBytes } from "../constant_time.ts";
import { userIdDigest } from "../pin/user_id.ts";
import { openContainer } from "../profile/container.ts";
import { parseIssuerKey } from "../profile/jws.ts";
import type { FileKeyIdentity, IssuerKey, ProfileHead } from "../profile/types.ts";
import { deviceNumber, diskOf } from "./devices.ts";
import { explainStickFault } from "./fault.ts";
import { type OpenMedium, openMedium } from "./medium.ts";
import {
  checkStickProfile,
  findStick,
  type FoundStick,
  openKey,
  openProgram,
  openStickProfile,
} from "./open.ts";

/** Each costs a second, and a stick can't count them. */
const MOST_TRIES = 5;

const STEP = 1 << 20;

const HELP = `Usage: sudo sh start.sh [--device DEVICE]

Connects this computer by the profile on the stick. It runs from memory and leaves nothing behind.

  --device DEVICE  the stick, when it can't be told from where start.sh lies
  --help           this text`;

/** Runs the launcher; resolves to an exit code when it ends without becoming the client. */
export async function launch(args: string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.error(error.message);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function run(args: string[]): Promise<number> {
  const options = readArguments(args);
  if (options === "help") {
    console.log(HELP);
    return 0;
  }
  const device = options.device ?? await deviceUnder(options.visible);
  using medium = await openOr(device);
  const found = await findStick(medium, options.trust);
  if ("fault" in found) throw new CommandError(explainStickFault(found));
  const head = await greet(found);
  const identity = await askPassword(found, head);
  const opened = await openProgram(medium, { found, identity });
  if ("fault" in opened) throw new CommandError(explainStickFault(opened));
  const program = makeMemoryFile("sekisho-client");
  program.write(opened.program);
  program.seal();
  const runtime = await intoMemory(options.runtime);
  const key = pipeHolding(await profileKey(found, identity));
  replaceProcess(`/proc/self/fd/${runtime}`, {
    argv: [
      ...[
        "sekisho-client",
        "run",
        "-A",
        "-q",
        "--no-prompt",
        "--no-config",
        "--no-lock",
        "--no-remote",
      ],
      ...["--no-npm", "--no-code-cache", "--cached-only", `/proc/self/fd/${program.descriptor}`],
      ...["--device", device, "--key", String(key)],
      ...options.trust.flatMap((issuer) => ["--trust", issuer]),
    ],
    env: Deno.env.toObject(),
  });
}

interface Options {
  readonly trust: readonly IssuerKey[];
  readonly runtime: string;
  readonly visible: string;
  readonly device: string | undefined;
}

function readArguments(args: string[]): Options | "help" {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        trust: { type: "string", multiple: true, default: [] },
        runtime: { type: "string", default: Deno.execPath() },
        visible: { type: "string", default: "." },
        device: { type: "string" },
        help: { type: "boolean" },
      },
    }));
  } catch (error) {
    const reason = error instanceof Error ? error.message.split(". ")[0] : String(error);
    throw new UsageError(`Cannot read the command line: ${reason}; see --help`);
  }
  if (values.help === true) return "help";
  const trust = values.trust.map((text) => {
    const key = parseIssuerKey(text);
    if (key === undefined) throw new UsageError(`Cannot trust ${text}: it is no issuer's key`);
    return key;
  });
  const { runtime, visible, device } = values;
  return { trust, runtime, visible, device };
}

/** The disk that holds the file system in which the launcher lies. */
async function deviceUnder(folder: string): Promise<string> {
  const disk = await diskOf(deviceNumber((await Deno.stat(folder)).dev));
  if (disk !== undefined) return disk;
  throw new CommandError(
    `Cannot find the stick: ${folder} lies on no disk of its own; name it (--device /dev/sdX)`,
  );
}

async function openOr(device: string): Promise<OpenMedium> {
  try {
    return await openMedium(device);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`Cannot open ${device}: ${reason}; run it as root, with the stick in`);
  }
}

/** Refuses an expired stick before any prompt. */
async function greet(found: FoundStick): Promise<ProfileHead> {
  const now = Math.floor(Date.now() / 1000);
  const checked = await checkStickProfile(found, { now, highestGeneration: 0 });
  if (checked.result === "fault") {
    throw new CommandError(
      `Cannot use the stick: its profile is ${checked.fault}; use another one`,
    );
  }
  const { holder, expiresAt, asksUserId } = checked.head;
  const until = new Date(expiresAt * 1000).toISOString().slice(0, 10);
  if (checked.result === "expired") {
    throw new CommandError(`Cannot use the stick of ${holder}: it expired on ${until}; renew it`);
  }
  console.error(`Stick${asksUserId ? "" : ` of ${holder}`}, valid until ${until}.`);
  if (found.damagedTable !== undefined) {
    console.error("Note: one copy of the stick's partition table is damaged; have it made anew.");
  }
  if (found.isHalf) {
    console.error("Note: one of the stick's two copies is damaged or old; have it renewed again.");
  }
  return checked.head;
}

/** Asks for the password, and for the user id before it where the profile wants that. */
async function askPassword(found: FoundStick, head: ProfileHead): Promise<FileKeyIdentity> {
  const isPiped = !Deno.stdin.isTerminal();
  const wrong = `rong ${head.asksUserId ? "user id or " : ""}password`;
  try {
    for (let left = isPiped ? 1 : MOST_TRIES; left > 0; left--) {
      keepQuiet(true);
      const answers = await readSecrets({
        text: () => undefined,
        list: () => [],
        flag: (name) => isPiped && name === "pin-stdin",
        positionals: [],
      }, head.asksUserId ? ["User id", "Password"] : ["Password"]);
      keepQuiet(true);
      const password = answers.pop();
      if (password === undefined) throw new Error("One question has one answer");
      const identity = await openKey(found, password);
      password.fill(0);
      const [userId] = answers;
      if (identity !== "wrong-password") {
        if (userId === undefined) return identity;
        if (await isHolders(userId, { found, head, identity })) return identity;
      }
      if (left > 1) console.error(`W${wrong}; try again.`);
    }
  } finally {
    keepQuiet(false);
  }
  throw new CommandError(`Cannot open the stick: w${wrong}; start again to try another one`);
}

/** Whether a user id is that of the profile which the stick's key opens. */
async function isHolders(
  userId: Uint8Array,
  { found, ...opening }: { found: FoundStick; head: ProfileHead; identity: FileKeyIdentity },
): Promise<boolean> {
  using secrets = SecretMemory.allocate(64);
  const opened = await openStickProfile(found, { ...opening, secrets });
  if (opened.result === "fault") throw new CommandError(explainStickFault({ fault: "forged" }));
  const typed = userIdDigest(new TextDecoder().decode(userId));
  return equalBytes(typed, userIdDigest(opened.profile.user.id));
}

/** No echo between the questions either: people type ahead while a password is tried. */
function keepQuiet(isQuiet: boolean): void {
  if (Deno.stdin.isTerminal()) Deno.stdin.setRaw(isQuiet, { cbreak: isQuiet });
}

/** The 16 bytes that open the profile and nothing else. */
async function profileKey(
  found: FoundStick,
  identity: FileKeyIdentity,
): Promise<Uint8Array<ArrayBuffer>> {
  const opened = await openContainer(found.profile, identity);
  if (typeof opened === "string") throw new CommandError(explainStickFault({ fault: "forged" }));
  opened.plaintext.fill(0);
  return new Uint8Array(opened.fileKey);
}

/** Copies the runtime into memory: it must not be read from a stick that has been pulled. */
async function intoMemory(path: string): Promise<number> {
  const copy = makeMemoryFile("sekisho-runtime");
  using file = await Deno.open(path);
  const step = new Uint8Array(STEP);
  for (;;) {
    const count = await file.read(step);
    if (count === null) break;
    copy.write(step.subarray(0, count));
  }
  copy.seal();
  return copy.descriptor;
}
