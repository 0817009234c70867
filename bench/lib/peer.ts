/**
 * The newest wireguard-go to be had: from Debian's archive, by the machine's own apt with lists, a
 * state and a cache of our own, unpacked beside them and never installed. It comes first on the path
 * of what a bench starts, so whatever starts `wireguard-go` by name starts this one.
 */
import { listsAreOld } from "../../tests/setup/apt.ts";

const PACKAGE = "wireguard-go";
const KEYRING_FOLDERS = ["/usr/share/keyrings", "/etc/apt/trusted.gpg.d"];
/** Newest first; each is signed by the keys of the release named beside it, or newer ones. */
const SUITES = ["forky", "trixie"] as const;
const KEYS = /^debian-archive-trixie-(automatic|stable)\.(gpg|asc)$/;

/**
 * Puts the peer on the path and says its version. `WIREGUARD_GO_SUITE` takes another of Debian's
 * suites; `installed` takes what is on the path already.
 */
export async function takePeer(): Promise<string> {
  const wanted = Deno.env.get("WIREGUARD_GO_SUITE");
  const suites = wanted === undefined ? SUITES : wanted === "installed" ? [] : [wanted];
  const reasons: string[] = [];
  for (const suite of suites) {
    try {
      const { folder, version } = await fetchFrom(suite);
      Deno.env.set("PATH", `${folder}/usr/bin:${Deno.env.get("PATH") ?? ""}`);
      return `${PACKAGE} ${version} (Debian ${suite}; it calls itself ${await ownVersion()})`;
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  for (const reason of reasons) console.error(`${reason}; taking the next one`);
  return `${PACKAGE} ${await ownVersion()} (the installed one, which may lack the offloads)`;
}

/** The newest one that was fetched already, with its version; undefined if none was. Asks no network. */
export async function fetchedPeer(): Promise<{ program: string; version: string } | undefined> {
  for (const suite of SUITES) {
    const home = `${cacheFolder()}/${suite}`;
    try {
      const version = (await Deno.readTextFile(`${home}/version`)).trim();
      return { program: `${home}/root/usr/bin/${PACKAGE}`, version };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

async function fetchFrom(suite: string): Promise<{ folder: string; version: string }> {
  const home = `${cacheFolder()}/${suite}`;
  const known = `${home}/version`;
  try {
    return { folder: `${home}/root`, version: (await Deno.readTextFile(known)).trim() };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const part of ["state/lists/partial", "cache/archives/partial", "root"]) {
    await Deno.mkdir(`${home}/${part}`, { recursive: true });
  }
  const sources = `${home}/sources.list`;
  await Deno.writeTextFile(
    sources,
    `deb [signed-by=${await keyrings()}] ${await machineMirror()} ${suite} main\n`,
  );
  const own = Object.entries({
    "Dir::Etc::sourcelist": sources,
    "Dir::Etc::sourceparts": "-",
    "Dir::State": `${home}/state`,
    "Dir::State::status": "/dev/null",
    "Dir::Cache": `${home}/cache`,
    "APT::Sandbox::User": "root",
  }).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  await run(["apt-get", "-q", ...own, "update"], home);
  await run(["apt-get", "-q", ...own, "download", PACKAGE], home);
  const [archive] = [...Deno.readDirSync(home)].filter(({ name }) => name.endsWith(".deb"));
  if (archive === undefined) throw new Error(`Cannot fetch ${PACKAGE}: apt brought no package`);
  await run(["dpkg-deb", "-x", archive.name, "root"], home);
  const version = await run(["dpkg-deb", "-f", archive.name, "Version"], home);
  // Last, so that a fetch that was cut off begins anew.
  await Deno.writeTextFile(known, version);
  return { folder: `${home}/root`, version: version.trim() };
}

function cacheFolder(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/var/tmp"}/.cache`;
  return `${base}/sekisho-bench`;
}

/** The first archive that the machine's apt fetches Debian from. */
async function machineMirror(): Promise<string> {
  const said = await run(
    ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Component: main"],
    "/",
  );
  const sites = said.split("\n").filter((line) => /\/debian\/?$/.test(line));
  const [mirror] = sites;
  if (mirror === undefined) {
    throw new Error("Cannot fetch wireguard-go: this machine's apt knows no archive of Debian");
  }
  return mirror;
}

async function keyrings(): Promise<string> {
  const found: string[] = [];
  for (const folder of KEYRING_FOLDERS) {
    try {
      for await (const { name } of Deno.readDir(folder)) {
        if (KEYS.test(name)) found.push(`${folder}/${name}`);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    if (found.length > 0) return found.join(",");
  }
  throw new Error(
    "Cannot trust newer releases of Debian: trixie's keys are missing; upgrade debian-archive-keyring",
  );
}

async function ownVersion(): Promise<string> {
  const said = await run([PACKAGE, "--version"], "/");
  return said.split("\n")[0]?.split(" ")[1] ?? "unknown";
}

async function run([program = "", ...args]: string[], cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd,
    env: { LC_ALL: "C.UTF-8" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const said = new TextDecoder().decode(stderr).trim();
  if (success) return new TextDecoder().decode(stdout);
  const why = listsAreOld(said) ? "the archive has no such package" : said.split("\n").at(-1);
  throw new Error(`Cannot run ${program} ${args.at(-1)}: ${why}`);
}
