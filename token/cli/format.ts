/** `token format`: a stick that carries client and profile. */
import { createHash, randomBytes } from "node:crypto";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import about from "../../deno.json" with { type: "json" };
import { MAX_PIN_BYTES } from "../pin/sealed_lengths.ts";
import { makePasswordIdentity } from "../profile/age_identity.ts";
import type { IssuerSigner } from "../profile/jws.ts";
import type { ProfileRecipient } from "../profile/profile.ts";
import { makeWireGuardKey } from "../profile/wireguard_key.ts";
import { lookAtTarget, type Target } from "../stick/devices.ts";
import {
  ClaimError,
  formatStick,
  smallestStick,
  VerifyError,
  type VisibleFile,
} from "../stick/format.ts";
import { cardIdOf } from "../stick/head.ts";
import { openMedium } from "../stick/medium.ts";
import { checkStickProfile, findStick } from "../stick/open.ts";
import { sealHidden } from "../stick/seal.ts";
import { LAUNCHER_NAME, RUNTIMES, visibleTexts } from "../stick/visible.ts";
import { draftProfile, NOBODYS_IDENTITY } from "./draft.ts";
import { CommandError, UsageError } from "./errors.ts";
import { FIELD_FLAGS, FIELD_HELP, readFields } from "./fields.ts";
import { mustBeNew, readBytes } from "./files.ts";
import { issuerOf } from "./issuer_key.ts";
import { type Given, readOptions } from "./options.ts";
import { stage } from "./outputs.ts";
import { readPresharedKey } from "./preshared_key.ts";
import { askedRecipients, RECOVERY_FLAGS, RECOVERY_HELP } from "./recipient_flags.ts";
import { readSecrets } from "./secret_input.ts";
import { summarize } from "./summary.ts";
import { readPasswordFile } from "./password_file.ts";
import { hubFiles, hubOutputs } from "./profile_files.ts";
import { sayIssued } from "./say_issued.ts";

const HELP = `Usage: token format DEVICE|FILE --issuer FILE [--from FILE.toml] [options]

Makes a USB stick that carries the client and a new profile: a visible part with the launcher, and a
hidden one that the password opens. Everything that is on DEVICE is lost. It asks before that, and
refuses a device that is mounted or in use, and the system's own disk.

  --yes                 don't ask
  --size SIZE           make FILE, of this size (512M, 2G)
  --password-file FILE  the stick's password (first line)
  --password-stdin      read it from standard input; without either it is asked for
  --from FILE.toml      the settings; flags override them
${FIELD_HELP}

  --issuer FILE         the issuer's key (token issuer-key)
  --psk                 with a preshared key
${RECOVERY_HELP}
  --peer-out FILE       what the hub needs of this client, as TOML
  --psk-out FILE        the preshared key, base64 (default: beside --peer-out, with .psk)
  --runtime FILE        the Deno program for the computers to be used (repeat: x86_64, aarch64);
                        default: the one that runs this
  --launcher FILE, --program FILE
                        the bundles to carry; default: those of deno task build
  --json                the summary as one JSON object
  --help                this text`;

/** A stick counts no tries: whoever copies it can try passwords for as long as they like. */
const SHORTEST_PASSWORD = 10;

const LARGEST_BUNDLE = 24 << 20;

/** Runs the command. */
export async function format(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: {
      ...FIELD_FLAGS,
      ...RECOVERY_FLAGS,
      from: "text",
      issuer: "text",
      yes: "flag",
      size: "text",
      "password-file": "text",
      "password-stdin": "flag",
      psk: "flag",
      "peer-out": "text",
      "psk-out": "text",
      runtime: "list",
      launcher: "text",
      program: "text",
      json: "flag",
    },
    positionals: 1,
  });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const [path] = given.positionals;
  if (path === undefined) throw new UsageError("Cannot format: DEVICE or FILE is missing");
  await formatOne(path, given);
  return 0;
}

async function formatOne(path: string, given: Given): Promise<void> {
  const now = new Date();
  const seconds = Math.floor(now.getTime() / 1000);
  const issuer = await issuerOf(given);
  const fields = await readFields(given, { path: given.text("from"), now: seconds });
  const asked = await askedRecipients(given);
  const presharedKey = await readPresharedKey(given, fields.suite);
  const files = hubFiles(given, { presharedKey });
  for (const one of [files.peer, files.psk]) mustBeNew(one);
  const draft = { now: seconds, hasPresharedKey: presharedKey !== undefined };
  // Checked before anything is asked or touched; stick and key have their names later.
  draftProfile(fields, {
    ...draft,
    cardId: cardIdOf(""),
    identity: NOBODYS_IDENTITY,
    recipients: asked.recipients,
  });
  const program = await bundle(given, "program", "client.js");
  const visible = await visibleFiles(given, issuer);
  const target = await targetOf(path, { given, visible });
  const { stick, former } = await nameOf(target, issuer);
  confirm(target, given);
  const password = await passwordOf(given);
  const pair = makeWireGuardKey();
  try {
    const key = await makePasswordIdentity(password);
    const own: ProfileRecipient = { kind: "password", name: "password", recipient: key.recipient };
    const profile = draftProfile(fields, {
      ...draft,
      cardId: cardIdOf(stick),
      former,
      identity: { kind: "sealed", publicKey: pair.publicKey },
      recipients: [own, ...asked.recipients],
    });
    const hidden = await sealHidden({
      stick,
      profile,
      keys: {
        privateKey: pair.privateKey,
        ...(presharedKey === undefined ? {} : { presharedKey }),
      },
      key,
      program,
      programVersion: about.version,
    }, {
      issuer,
      now: seconds,
      recovery: asked.recipients.flatMap((one) => "recipient" in one ? [one.recipient] : []),
    });
    const outputs = [
      ...asked.outputs,
      ...await hubOutputs(profile, { keys: { presharedKey }, files }),
    ];
    const staged = await stage(outputs);
    try {
      await write(target, { visible, hidden, now });
    } catch (error) {
      await staged.discard();
      throw error;
    }
    await staged.commit();
    const summary = summarize(profile, {
      issuer: issuer.publicKey,
      hub: undefined,
      files: { stick: target.path, ...files, recovery: asked.outputs[0]?.path },
    });
    sayIssued(given, summary, asked.shown);
  } finally {
    password.fill(0);
    pair.privateKey.fill(0);
    presharedKey?.fill(0);
  }
}

/** What the visible part holds: texts, the launcher, and a runtime for each kind of computer. */
async function visibleFiles(given: Given, issuer: IssuerSigner): Promise<VisibleFile[]> {
  const launcher = await bundle(given, "launcher", LAUNCHER_NAME);
  const paths = given.list("runtime");
  if (paths.length === 0 && Deno.build.standalone) {
    throw new UsageError("Cannot carry a runtime: name the Deno program (--runtime FILE)");
  }
  const runtimes = [];
  for (const path of paths.length === 0 ? [Deno.execPath()] : paths) {
    runtimes.push(await lookAtRuntime(path));
  }
  if (new Set(runtimes.map(({ name }) => name)).size < runtimes.length) {
    throw new UsageError("Cannot carry two runtimes for one kind of computer");
  }
  const texts = visibleTexts({
    runtimes,
    launcherDigest: createHash("sha256").update(launcher).digest("hex"),
    issuer: issuer.publicKey,
    version: about.version,
  });
  return [
    ...texts.map(({ name, text }) => {
      const content = new TextEncoder().encode(text);
      return { name, length: content.length, content };
    }),
    { name: LAUNCHER_NAME, length: launcher.length, content: launcher },
    ...runtimes.map(({ name, length, path }) => ({ name, length, content: { path } })),
  ];
}

async function lookAtRuntime(path: string) {
  const hash = createHash("sha256");
  let length = 0;
  let machine: number | undefined;
  try {
    using file = await Deno.open(path);
    for await (const chunk of file.readable) {
      // elf(5): the magic number, and e_machine at 18.
      if (length === 0 && new TextDecoder("latin1").decode(chunk.subarray(0, 4)) === "\x7fELF") {
        machine = (chunk[18] ?? 0) | (chunk[19] ?? 0) << 8;
      }
      hash.update(chunk);
      length += chunk.length;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`Cannot read the runtime ${path}: ${reason}`);
  }
  const known = machine === undefined ? undefined : RUNTIMES[machine];
  if (known === undefined) {
    throw new CommandError(`Cannot carry ${path}: it is no Linux program for x86_64 or aarch64`);
  }
  return { ...known, path, length, digest: hash.digest("hex") };
}

async function bundle(
  given: Given,
  flag: "launcher" | "program",
  name: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const path = given.text(flag);
  if (path !== undefined) return new Uint8Array(await readBytes(path, LARGEST_BUNDLE));
  const built = fileURLToPath(new URL(`../../.build/stick/${name}`, import.meta.url));
  try {
    return await Deno.readFile(built);
  } catch {
    throw new CommandError(
      `Cannot find the stick's ${flag}: it is not built; run deno task build, or name it (--${flag})`,
    );
  }
}

/**
 * A stick that this issuer made keeps its name, so that gateways which saw the new generation refuse
 * copies of the old one.
 */
async function nameOf(
  target: Target,
  issuer: IssuerSigner,
): Promise<{ stick: string; former: { generation: number } | undefined }> {
  using medium = await openMedium(target.path);
  const found = await findStick(medium, [issuer.publicKey]);
  const fresh = { stick: randomBytes(16).toString("hex"), former: undefined };
  if ("fault" in found) return fresh;
  const checked = await checkStickProfile(found, { now: 0, highestGeneration: 0 });
  if (checked.result === "fault") return fresh;
  return { stick: found.head.stick, former: { generation: checked.head.generation } };
}

/** The target, made when it is a file that `--size` asks for, and big enough. */
async function targetOf(
  path: string,
  { given, visible }: { given: Given; visible: readonly VisibleFile[] },
): Promise<Target> {
  const least = smallestStick(visible.reduce((sum, { length }) => sum + length, 0));
  const size = given.text("size");
  if (size !== undefined) {
    const bytes = parseSize(size);
    checkRoom(path, { bytes, least });
    mustBeNew(path);
    using file = await create(path);
    await file.truncate(bytes);
  }
  let look;
  try {
    look = await lookAtTarget(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new CommandError(`Cannot format ${path}: it is not there; a file needs --size`);
    }
    throw error;
  }
  if ("refusal" in look) throw new CommandError(`Cannot format ${path}: ${look.refusal}`);
  checkRoom(path, { bytes: look.target.bytes, least });
  return look.target;
}

async function create(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`Cannot make ${path}: ${reason}`);
  }
}

function checkRoom(path: string, { bytes, least }: { bytes: number; least: number }): void {
  if (bytes >= least) return;
  const megabytes = (count: number) => `${Math.ceil(count / (1 << 20))} MiB`;
  throw new CommandError(
    `Cannot format ${path}: it has ${megabytes(bytes)}; at least ${megabytes(least)} are needed`,
  );
}

function parseSize(text: string): number {
  const match = /^([1-9]\d{0,8})([KMG]?)$/.exec(text);
  if (match === null) {
    throw new UsageError(`Cannot use --size ${text}: expected such as 512M or 2G`);
  }
  const [, count, unit = ""] = match;
  return Number(count) * ({ K: 1 << 10, M: 1 << 20, G: 1 << 30 }[unit] ?? 1);
}

/** Asks for the name of what is lost, so that nobody erases by habit. */
function confirm(target: Target, given: Given): void {
  if (given.flag("yes") || given.text("size") !== undefined) return;
  if (!Deno.stdin.isTerminal()) {
    throw new UsageError("Cannot ask before erasing: no terminal; use --yes");
  }
  const name = basename(target.path);
  const gigabytes = (target.bytes / 1e9).toFixed(1);
  const what = [target.model, `${gigabytes} GB`, target.path].filter((word) => word !== "");
  const typed = prompt(
    `Everything on it will be lost: ${what.join(", ")}.\nType ${name} to go on:`,
  );
  if (typed?.trim() !== name) throw new CommandError(`Cannot format ${target.path}: not confirmed`);
}

async function passwordOf(given: Given): Promise<Uint8Array> {
  const password = await readPassword(given);
  if (password.length >= SHORTEST_PASSWORD && password.length <= MAX_PIN_BYTES) return password;
  throw new CommandError(
    `Cannot use the password: it has ${password.length} bytes; take ${SHORTEST_PASSWORD} to ${MAX_PIN_BYTES}`,
  );
}

async function readPassword(given: Given): Promise<Uint8Array> {
  const file = given.text("password-file");
  if (file !== undefined) return await readPasswordFile(file);
  const isPiped = given.flag("password-stdin");
  const source: Given = {
    ...given,
    text: () => undefined,
    flag: (name) => name === "pin-stdin" && isPiped,
  };
  const [first, second] = await readSecrets(
    source,
    isPiped ? ["password"] : ["password", "password again"],
  );
  if (first === undefined) throw new Error("One question has one answer");
  if (second !== undefined && !isSame(first, second)) {
    throw new CommandError("Cannot use the password: the two differ; try again");
  }
  second?.fill(0);
  return first;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

async function write(
  target: Target,
  content: Parameters<typeof formatStick>[1] & { now: Date },
): Promise<void> {
  const say = (text: string) => Deno.stderr.writeSync(new TextEncoder().encode(text));
  const isShown = Deno.stderr.isTerminal();
  let shown = -1;
  try {
    await formatStick(target, content, {
      now: content.now,
      onProgress: (done, of) => {
        const percent = Math.floor(100 * done / of);
        if (isShown && percent !== shown) {
          say(`\r${percent < 50 ? "Writing" : "Checking"}: ${String(percent).padStart(3)} %  `);
        }
        shown = percent;
      },
    });
  } catch (error) {
    if (error instanceof VerifyError) throw new CommandError(error.message);
    if (error instanceof ClaimError) {
      throw new CommandError(`Cannot format ${target.path}: it is in use: ${error.message}`);
    }
    if (error instanceof Error && "code" in error) {
      throw new CommandError(`Cannot format ${target.path}: ${error.message}`);
    }
    throw error;
  } finally {
    if (isShown) say("\r                    \r");
  }
}
