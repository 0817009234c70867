/** Who the box's DNS and DHCP processes run as: never root, where there is anyone else to be. */

export interface DnsIdentity {
  readonly uid: number;
  /** A group that no other process has as its own: the ruleset knows the box's questions by it. */
  readonly gid: number;
}

/** Debian's own user for dnsmasq; "nobody" where the package made none. */
const USERS = ["dnsmasq", "nobody"];
/** A static group of every Debian, empty by default, that dnsmasq itself uses. */
const GROUP = "dip";

/** Undefined where this user namespace has no other ids, as in a demo without root. */
export function dnsIdentity(): DnsIdentity | undefined {
  const users = ids("/etc/passwd");
  const uid = USERS.map((name) => users.get(name)).find((id) => id !== undefined);
  const gid = ids("/etc/group").get(GROUP);
  if (uid === undefined || gid === undefined) return undefined;
  return isMapped("uid", uid) && isMapped("gid", gid) ? { uid, gid } : undefined;
}

/** Names and numbers of /etc/passwd or /etc/group: name:password:id:… */
function ids(path: string): Map<string, number> {
  const entries = Deno.readTextFileSync(path).split("\n").map((line) => line.split(":"));
  return new Map(entries.map(([name = "", , id = ""]) => [name, Number(id)]));
}

/** Whether this process's user namespace can become that id; user_namespaces(7). */
function isMapped(kind: "uid" | "gid", id: number): boolean {
  const lines = Deno.readTextFileSync(`/proc/self/${kind}_map`).trim().split("\n");
  return lines.some((line) => {
    const [inside = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
    return id >= inside && id < inside + count;
  });
}
