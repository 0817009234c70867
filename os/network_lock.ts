/**
 * One gateway, one hub in a network namespace, whatever their folders: two would replace each
 * other's rules, routes and sockets. An abstract Unix socket belongs to the network namespace, and
 * the kernel lets go of it when its process dies in whatever way. unix(7)
 */
import { errno, libc } from "./libc.ts";
import { AlreadyRunningError, type InstanceLock } from "./instance_lock.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const EADDRINUSE = 98;

/**
 * Takes the role's place in this network namespace.
 * @throws {AlreadyRunningError} telling the other's process id.
 */
export function holdNetwork({ role }: { readonly role: "gateway" | "hub" }): InstanceLock {
  const address = abstractAddress(`sekisho-${role}`);
  // Closed on exec: an engine must not keep the place of the gateway that started it.
  const socket = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) throw new Error(`Cannot start the ${role}: no Unix socket (error ${errno()})`);
  if (libc.bind(socket, address, address.length) === 0 && libc.listen(socket, 1) === 0) {
    return { release: () => void libc.close(socket) };
  }
  const error = errno();
  libc.close(socket);
  if (error !== EADDRINUSE) {
    throw new Error(`Cannot start the ${role}: its place in this network is not free (${error})`);
  }
  throw new AlreadyRunningError(
    `Cannot start the ${role}: another one runs in this network (process ${holder(address)}); ` +
      `stop it first, or give this one a network namespace of its own`,
  );
}

/** struct sockaddr_un, its path beginning with a zero byte. */
function abstractAddress(name: string): Uint8Array<ArrayBuffer> {
  const path = new TextEncoder().encode(`\0${name}`);
  const address = new Uint8Array(2 + path.length);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(path, 2);
  return address;
}

/** Whom the kernel knows behind the address. */
function holder(address: Uint8Array<ArrayBuffer>): string {
  const socket = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return "unknown";
  try {
    if (libc.connect(socket, address, address.length) !== 0) return "unknown";
    const credentials = new Uint32Array(3);
    const size = new Uint32Array([credentials.byteLength]);
    const asked = libc.getsockopt(
      ...[socket, SOL_SOCKET, SO_PEERCRED] as const,
      new Uint8Array(credentials.buffer),
      new Uint8Array(size.buffer),
    );
    return asked === 0 && credentials[0] ? String(credentials[0]) : "unknown";
  } finally {
    libc.close(socket);
  }
}
