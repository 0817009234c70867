/** A stick made by `token format`, for tests: in a file, and on a loop device where one is wanted. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { SecretMemory } from "../../os/secret_memory.ts";
import { parseIssuerKey } from "../../token/profile/jws.ts";
import type { IssuerKey } from "../../token/profile/types.ts";
import { openMedium } from "../../token/stick/medium.ts";
import { checkStickProfile, findStick, openKey, openStickProfile } from "../../token/stick/open.ts";
import type { Needle } from "../lab/memory_search.ts";

export const MAIN = fileURLToPath(import.meta.resolve("../../main.ts"));
export const PASSWORD = "correct horse battery";
/** Where the visible part begins, as mtools wants it. */
export const VISIBLE_AT = 1 << 20;

const TOKEN = ["run", "-A", "--no-prompt", "--no-check", "--cached-only", MAIN, "token"];

export interface TestStick {
  readonly image: string;
  readonly issuer: IssuerKey;
  /** The client's WireGuard key, for the other end. */
  readonly publicKey: string;
}

export interface ProgramEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `token …` on this machine. */
export async function token(args: readonly string[], input = ""): Promise<ProgramEnd> {
  return await run(Deno.execPath(), [...TOKEN, ...args], input);
}

export async function run(
  program: string,
  args: readonly string[],
  input: string | Uint8Array = "",
): Promise<ProgramEnd> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  }).spawn();
  const writer = child.stdin.getWriter();
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  await writer.write(bytes).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const text = (part: Uint8Array) => new TextDecoder().decode(part);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** The program's output; fails the test when the program failed. */
export async function sure(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(program, args);
  assert.equal(code, 0, `${program} ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

/** Settings that every stick of the tests has; flags may follow that override them. */
export function settings(
  server: { key: string; endpoint: string },
  { name = "Alice Example", address = "10.7.0.2/32" } = {},
): string[] {
  return [
    ...["--client-id", "alice", "--user-name", name, "--address", address],
    ...["--server-key", server.key, "--endpoint", server.endpoint, "--network", "10.7.0.0/24"],
  ];
}

/** Makes an issuer's key in `dir`; resolves to its public half. */
export async function makeIssuer(dir: string): Promise<IssuerKey> {
  const { stdout, code, stderr } = await token(["issuer-key", "--out", `${dir}/issuer`]);
  assert.equal(code, 0, stderr);
  const issuer = parseIssuerKey(stdout.trim());
  assert.ok(issuer);
  await Deno.writeTextFile(`${dir}/password`, `${PASSWORD}\n`);
  return issuer;
}

/** Makes a stick in a file of `dir`. */
export async function makeStick(
  dir: string,
  options: {
    server: { key: string; endpoint: string };
    more?: readonly string[];
    name?: string;
    /** Made before, in the same folder. */
    issuer?: IssuerKey;
  },
): Promise<TestStick> {
  const issuer = options.issuer ?? await makeIssuer(dir);
  const image = `${dir}/${options.name ?? "stick"}.img`;
  const made = await token([
    ...["format", image, "--size", "256M", "--issuer", `${dir}/issuer`, "--json"],
    ...["--password-file", `${dir}/password`, ...settings(options.server)],
    ...options.more ?? [],
  ]);
  assert.equal(made.code, 0, made.stderr);
  const { clientPublicKey } = JSON.parse(made.stdout);
  return { image, issuer, publicKey: clientPublicKey };
}

/** A copy of a stick that expires then, in the same folder; resolves to its image. */
export async function renewStick(
  dir: string,
  { from, name, expires }: { from: string; name: string; expires: Date },
): Promise<string> {
  const image = `${dir}/${name}.img`;
  await Deno.copyFile(from, image);
  const renewed = await token([
    ...["renew", "--stick", image, "--issuer", `${dir}/issuer`],
    ...["--pin-file", `${dir}/password`, "--expires", expires.toISOString()],
  ]);
  assert.equal(renewed.code, 0, renewed.stderr);
  return image;
}

/** Copies the visible part's files out, as a system that mounts it would show them. */
export async function takeVisible(image: string, into: string): Promise<void> {
  await Deno.mkdir(into, { recursive: true });
  await sure("mcopy", ["-n", "-m", "-i", `${image}@@${VISIBLE_AT}`, "::*", into]);
  for (const { name } of Deno.readDirSync(into)) {
    await Deno.chmod(`${into}/${name}`, name.endsWith(".com") ? 0o755 : 0o644);
  }
}

/** A loop device over a file; given back at the end, whatever happens. */
export class LoopDevice implements AsyncDisposable {
  readonly path: string;
  #isThere = true;

  private constructor(path: string) {
    this.path = path;
  }

  static async open(image: string, options: readonly string[] = []): Promise<LoopDevice> {
    const path = await sure("losetup", ["--find", "--show", ...options, image]);
    return new LoopDevice(path.trim());
  }

  /** As if somebody pulled it. */
  async pull(): Promise<void> {
    if (!this.#isThere) return;
    this.#isThere = false;
    await sure("losetup", ["--detach", this.path]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.pull();
  }
}

/** What must not be found once nobody uses the stick any more. */
export async function secretsOf(stick: TestStick): Promise<Needle[]> {
  using medium = await openMedium(stick.image);
  const found = await findStick(medium, [stick.issuer]);
  assert.ok(!("fault" in found), JSON.stringify(found));
  const now = Math.floor(Date.now() / 1000);
  const checked = await checkStickProfile(found, { now, highestGeneration: 0 });
  assert.ok(checked.result === "ok");
  const password = new TextEncoder().encode(PASSWORD);
  const identity = await openKey(found, password);
  assert.ok(identity !== "wrong-password");
  using secrets = SecretMemory.allocate(4096);
  const needles: Needle[] = [{ name: "password", bytes: password }];
  const opened = await openStickProfile(found, {
    head: checked.head,
    identity,
    secrets,
    onFileKey: (key) => needles.push({ name: "file key", bytes: key.slice() }),
  });
  assert.ok(opened.result === "ok" && opened.privateKey);
  return [...needles, { name: "private key", bytes: opened.privateKey.bytes.slice() }];
}
