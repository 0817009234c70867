/**
 * The configuration socket `/var/run/wireguard/IFNAME.sock`, by which `wg` and `wg-quick` reach a
 * userspace device.
 */
import { dirname } from "node:path";
import { type PublicKey, type Tunnel, TunnelConfigError } from "../api.ts";
import { EADDRINUSE, EINVAL, EIO, ENOENT, EPERM, EPROTO } from "../../os/errno.ts";
import { formatStatus, type ShownSecrets } from "./format.ts";
import { KeyStore, type StoredKey } from "./key_store.ts";
import { parseSet, type SetRequest } from "./parse.ts";

export const SOCKET_FOLDER = "/var/run/wireguard";

export interface UapiOptions {
  /** Default: `/var/run/wireguard/IFNAME.sock`. */
  readonly path?: string;
  /** Whether `set` is obeyed, and secrets that it brought are shown (default true). */
  readonly writable?: boolean;
}

const ERRNO: Readonly<Record<TunnelConfigError["code"], number>> = {
  EINVAL,
  EADDRINUSE,
  EPROTO,
  EIO,
  ENOENT,
};
/** 10,000 peers with ten networks each take a tenth of this. */
const LARGEST_REQUEST = 64 << 20;
const MOST_CLIENTS = 32;

export class UapiServer implements ShownSecrets {
  readonly path: string;
  readonly #tunnel: Tunnel;
  readonly #writable: boolean;
  readonly #listener: Deno.UnixListener;
  readonly #store = new KeyStore();
  readonly #presharedKeys = new Map<PublicKey, StoredKey>();
  #privateKey: StoredKey | undefined;
  #clients = 0;
  /** One change at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(tunnel: Tunnel, parts: { path: string; writable: boolean }) {
    this.#tunnel = tunnel;
    this.path = parts.path;
    this.#writable = parts.writable;
    this.#listener = listenAt(parts.path);
    void this.#accept();
  }

  /** Throws Error if another process answers at this socket. A socket that nobody answers is replaced. */
  static async open(tunnel: Tunnel, options: UapiOptions = {}): Promise<UapiServer> {
    const path = options.path ?? socketPath(tunnel.ifname);
    await Deno.mkdir(dirname(path), { recursive: true, mode: 0o755 });
    if (await isAnswered(path)) {
      throw new Error(
        `Cannot open ${path}: another process serves it; end that one, or take another name`,
      );
    }
    removeSocket(path);
    return new UapiServer(tunnel, { path, writable: options.writable ?? true });
  }

  get privateKey(): Uint8Array | undefined {
    return this.#privateKey?.bytes;
  }

  presharedKeyOf(peer: PublicKey): Uint8Array | undefined {
    return this.#presharedKeys.get(peer)?.bytes;
  }

  /** Ends the socket; call it after the tunnel is closed, since the keys that `set` brought are wiped. */
  close(): void {
    this.#listener.close();
    removeSocket(this.path);
    this.#store.close();
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      if (this.#clients >= MOST_CLIENTS) {
        connection.close();
        continue;
      }
      this.#clients++;
      void this.#serve(connection).catch(() => {
        // A client that went away, or asked what nobody asks: only its connection ends.
      }).finally(() => {
        this.#clients--;
        connection.close();
      });
    }
  }

  async #serve(connection: Deno.UnixConn): Promise<void> {
    const requests = new RequestReader(connection);
    try {
      for (;;) {
        const request = await requests.next();
        if (request === undefined) return;
        const answer = await this.#inTurn(() => this.#answer(request));
        request.fill(0);
        if (answer === undefined) return;
        await writeAll(connection, answer);
        answer.fill(0);
      }
    } finally {
      requests.wipe();
    }
  }

  #inTurn<Result>(action: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => {});
    return result;
  }

  async #answer(request: Uint8Array): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (startsWith(request, "get=1\n")) {
      return formatStatus(await this.#tunnel.get(), this);
    }
    if (!startsWith(request, "set=1\n")) return undefined;
    const result = await this.#set(request.subarray("set=1\n".length));
    return new TextEncoder().encode(`errno=${result === 0 ? 0 : -result}\n\n`);
  }

  async #set(body: Uint8Array): Promise<number> {
    if (!this.#writable) return EPERM;
    let request: SetRequest | undefined;
    try {
      request = parseSet(body, this.#store);
      await this.#tunnel.set(request.config);
    } catch (error) {
      if (request !== undefined) this.#wipe(request);
      return error instanceof TunnelConfigError ? ERRNO[error.code] : EIO;
    }
    await this.#keep(request);
    return 0;
  }

  /** The secrets of a request that was refused. */
  #wipe({ privateKey, presharedKeys }: SetRequest): void {
    for (const key of [privateKey, ...presharedKeys.values()]) {
      if (key !== undefined && key !== "none") this.#store.release(key);
    }
  }

  /** Remembers new secrets, and wipes those that nothing uses any more. */
  async #keep(request: SetRequest): Promise<void> {
    const { privateKey, presharedKeys } = request;
    if (privateKey !== undefined) {
      if (this.#privateKey !== undefined) this.#store.release(this.#privateKey);
      this.#privateKey = privateKey === "none" ? undefined : privateKey;
    }
    for (const [peer, key] of presharedKeys) {
      this.#forget(peer);
      if (key !== "none") this.#presharedKeys.set(peer, key);
    }
    if (this.#presharedKeys.size === 0) return;
    const { peers } = await this.#tunnel.get();
    // A peer that was removed and came back in the same change came back without its key.
    const there = new Set(
      peers.filter((peer) => peer.hasPresharedKey).map(({ publicKey }) => publicKey),
    );
    for (const peer of [...this.#presharedKeys.keys()]) {
      if (!there.has(peer)) this.#forget(peer);
    }
  }

  #forget(peer: PublicKey): void {
    const key = this.#presharedKeys.get(peer);
    if (key !== undefined) this.#store.release(key);
    this.#presharedKeys.delete(peer);
  }
}

export function socketPath(ifname: string): string {
  return `${SOCKET_FOLDER}/${ifname}.sock`;
}

/**
 * Listens before the socket has its name: `wg` deletes one that refuses it, as any socket does between
 * its bind and its listen.
 */
function listenAt(path: string): Deno.UnixListener {
  const unnamed = `${path}.new`;
  removeSocket(unnamed);
  const listener = Deno.listen({ transport: "unix", path: unnamed });
  Deno.chmodSync(unnamed, 0o600);
  Deno.renameSync(unnamed, path);
  return listener;
}

/** Whether somebody serves this socket. */
export async function isAnswered(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch {
    return false;
  }
}

/** Requests of one client: each ends with an empty line, and all are bounded. */
class RequestReader {
  readonly #connection: Deno.UnixConn;
  #buffer = new Uint8Array(4096);
  #length = 0;

  constructor(connection: Deno.UnixConn) {
    this.#connection = connection;
  }

  /** The next request with its first line, without the empty one; undefined at the end or if it is too large. */
  async next(): Promise<Uint8Array | undefined> {
    for (let searched = 0;;) {
      const end = endOfRequest(this.#buffer.subarray(0, this.#length), searched);
      if (end >= 0) return this.#cut(end);
      searched = Math.max(0, this.#length - 1);
      if (this.#length === this.#buffer.length && !this.#grow()) return undefined;
      const got = await this.#connection.read(this.#buffer.subarray(this.#length));
      if (got === null) return undefined;
      this.#length += got;
    }
  }

  wipe(): void {
    this.#buffer.fill(0);
  }

  #cut(end: number): Uint8Array {
    const request = this.#buffer.slice(0, end + 1);
    this.#buffer.copyWithin(0, end + 2, this.#length);
    const rest = this.#length - end - 2;
    this.#buffer.fill(0, rest, this.#length);
    this.#length = rest;
    return request;
  }

  #grow(): boolean {
    if (this.#buffer.length >= LARGEST_REQUEST) return false;
    const larger = new Uint8Array(this.#buffer.length * 2);
    larger.set(this.#buffer);
    this.#buffer.fill(0);
    this.#buffer = larger;
    return true;
  }
}

const NEWLINE = 0x0a;

/** Position of the first of two newlines. */
function endOfRequest(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(NEWLINE, from); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) {
    if (bytes[at + 1] === NEWLINE && at + 1 < bytes.length) return at;
  }
  return -1;
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (bytes[index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

async function writeAll(connection: Deno.UnixConn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}

function removeSocket(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
