/** Who owns a lab's folder, so that what a crashed run left behind is told from one that runs. */

const PREFIX = "sekisho-lab-";
const OWNER = "owner";

/** Makes a folder that names this process as its owner. */
export async function ownedFolder(): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: PREFIX });
  // Daemons under users of their own pass through it to what is theirs; they can't list it.
  await Deno.chmod(dir, 0o711);
  await Deno.writeTextFile(`${dir}/${OWNER}`, `${Deno.pid} ${startOf(Deno.pid)}\n`);
  return dir;
}

/** Removes the folders whose owners are gone; returns how many. */
export async function removeStaleFolders(parent = temporaryFolder()): Promise<number> {
  let removed = 0;
  for (const { name, isDirectory } of Deno.readDirSync(parent)) {
    const dir = `${parent}/${name}`;
    if (!isDirectory || !name.startsWith(PREFIX) || !isOwnerGone(dir)) continue;
    await Deno.remove(dir, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // another one was quicker
    });
    removed++;
  }
  return removed;
}

/** A process id comes again after a while; together with its start it is a process's name for good. */
function isOwnerGone(dir: string): boolean {
  let owner: string;
  try {
    owner = Deno.readTextFileSync(`${dir}/${OWNER}`).trim();
  } catch {
    return false; // not ours to judge: another user's, or just being made
  }
  const [pid, start] = owner.split(" ");
  return /^\d+ \d+$/.test(owner) && startOf(Number(pid)) !== start;
}

/** Start of a process in clock ticks since boot (proc(5), field 22); undefined when it is gone. */
function startOf(pid: number): string | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // The name before it may hold spaces and parentheses.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

function temporaryFolder(): string {
  return Deno.env.get("TMPDIR") ?? "/tmp";
}
