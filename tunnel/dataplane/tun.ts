/** The TUN device (Linux Documentation/networking/tuntap.rst), without blocking. */
import { EAGAIN, EBADF, EBADFD, EBUSY, EINTR, errnoText } from "../../os/errno.ts";
import { cString, errno, libc, O_CLOEXEC, O_NONBLOCK, O_RDWR } from "../../os/libc.ts";
import { Arena, FROM_TUN, READ_LIMIT, writeLong } from "./arena.ts";

const TUNSETIFF = 0x400454can;
const TUNSETOFFLOAD = 0x400454d0n;
const TUNGETIFF = 0x800454d2n;
const TUNGETDEVNETNS = 0x54e3n;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const TUN_F_CSUM = 1n;
const TUN_F_TSO = 2n | 4n | 8n;
const TUN_F_USO = 0x20n | 0x40n;
const SIOCGIFMTU = 0x8921n;
const SIOCSIFMTU = 0x8922n;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
const NAME_LENGTH = 16;
const IFREQ_LENGTH = 40;

/** Length of struct virtio_net_hdr. */
export const VNET_HEADER = 10;
const MOST_PIECES = 96;

export class TunGone extends Error {
  override readonly name = "TunGone";
}

export class Tun {
  readonly name: string;
  readonly descriptor: number;
  /** Whether packets carry a virtio_net_hdr, and may be larger than the MTU. */
  readonly offloads: boolean;
  /** Whether the kernel cuts UDP that is written here, too (since 6.2). */
  readonly cutsUdp: boolean;
  readonly #arena: Arena;
  /** virtio_net_hdr of the packet read last, and of the one being written. */
  readonly readHeader: Uint8Array<ArrayBuffer>;
  readonly writeHeader: Uint8Array<ArrayBuffer>;
  readonly #headers = new Arena(64);
  readonly #readPieces = new Uint32Array(8);
  readonly #readPiecesBytes = new Uint8Array(this.#readPieces.buffer);
  readonly #bareReadPiece = this.#readPiecesBytes.subarray(16);
  readonly #writePieces = new Uint32Array(4 * MOST_PIECES);
  readonly #writePiecesBytes = new Uint8Array(this.#writePieces.buffer);
  #pieces = 0;

  private constructor(
    parts: {
      name: string;
      descriptor: number;
      offloads: boolean;
      cutsUdp: boolean;
      arena: Arena;
    },
  ) {
    this.name = parts.name;
    this.descriptor = parts.descriptor;
    this.offloads = parts.offloads;
    this.cutsUdp = parts.cutsUdp;
    this.#arena = parts.arena;
    this.readHeader = this.#headers.bytes.subarray(0, VNET_HEADER);
    this.writeHeader = this.#headers.bytes.subarray(16, 16 + VNET_HEADER);
    writeLong(this.#readPieces, 0, this.#headers.address(0));
    writeLong(this.#readPieces, 2, VNET_HEADER);
    writeLong(this.#readPieces, 4, this.#arena.address(FROM_TUN));
    writeLong(this.#readPieces, 6, READ_LIMIT);
    this.beginWrite();
  }

  /** Creates the interface, or takes a persistent one over. Throws Error saying what is in the way. */
  static open(name: string, parts: { arena: Arena; offloads: boolean }): Tun {
    const bytes = new TextEncoder().encode(name);
    if (bytes.length === 0 || bytes.length >= NAME_LENGTH || /[\s/]/.test(name)) {
      throw new Error(`Cannot open interface ${name}: names have 1 to 15 bytes, no "/" or space`);
    }
    const descriptor = libc.open(cString("/dev/net/tun"), O_RDWR | O_CLOEXEC | O_NONBLOCK, 0);
    if (descriptor < 0) {
      throw new Error(
        `Cannot open /dev/net/tun: ${errnoText(errno())}; load the tun module, run as root`,
      );
    }
    const offloads = parts.offloads && setInterface(descriptor, bytes, IFF_VNET_HDR) === 0;
    if (!offloads) {
      const error = setInterface(descriptor, bytes, 0);
      if (error !== 0) {
        libc.close(descriptor);
        throw new Error(openProblem(name, error));
      }
    }
    const cutsUdp = offloads && setOffload(descriptor);
    return new Tun({ name, descriptor, offloads, cutsUdp, arena: parts.arena });
  }

  /** Reads one packet to `FROM_TUN`. Its length, or 0 if there is none now. Throws TunGone. */
  read(): number {
    const got = this.offloads
      ? libc.readv(this.descriptor, this.#readPiecesBytes, 2) - VNET_HEADER
      : libc.readv(this.descriptor, this.#bareReadPiece, 1);
    if (got > 0) return got;
    this.#checkGone(errno());
    return 0;
  }

  /** The name that the interface has now: it may have been given another. */
  currentName(): string {
    const request = new Uint8Array(IFREQ_LENGTH);
    if (libc.ioctl(this.descriptor, TUNGETIFF, request) < 0) return this.name;
    return new TextDecoder().decode(request.subarray(0, request.indexOf(0)));
  }

  /**
   * A new descriptor of the network namespace in which the interface is now, which the caller closes;
   * below 0 if the kernel doesn't say (before 5.2).
   */
  openNamespace(): number {
    return libc.ioctlValue(this.descriptor, TUNGETDEVNETNS, 0n);
  }

  /** Starts a packet that is written in pieces. */
  beginWrite(): void {
    this.#pieces = 0;
    if (!this.offloads) return;
    this.writeHeader.fill(0);
    this.#addPiece(this.#headers.address(16), VNET_HEADER);
  }

  addPiece(offset: number, length: number): void {
    this.#addPiece(this.#arena.address(offset), length);
  }

  /** How many pieces still fit. */
  get room(): number {
    return MOST_PIECES - this.#pieces;
  }

  /** Writes the packet: 0, or the error number if the kernel didn't take it. Throws TunGone. */
  endWrite(): number {
    if (libc.writev(this.descriptor, this.#writePiecesBytes, this.#pieces) >= 0) return 0;
    const error = errno();
    this.#checkGone(error);
    return error;
  }

  close(): void {
    libc.close(this.descriptor);
  }

  #addPiece(address: number, length: number): void {
    const word = this.#pieces++ * 4;
    writeLong(this.#writePieces, word, address);
    writeLong(this.#writePieces, word + 2, length);
  }

  #checkGone(error: number): void {
    if (error === EAGAIN || error === EINTR) return;
    if (error === EBADFD || error === EBADF) throw new TunGone(`Interface ${this.name} is deleted`);
  }
}

/** MTU of an interface in this network namespace; undefined if it isn't here. */
export function readMtu(name: string): number | undefined {
  const request = interfaceRequest(new TextEncoder().encode(name));
  if (withSocket((socket) => libc.ioctl(socket, SIOCGIFMTU, request)) < 0) return undefined;
  return new DataView(request.buffer).getInt32(NAME_LENGTH, true);
}

export function writeMtu(name: string, mtu: number): void {
  const request = interfaceRequest(new TextEncoder().encode(name));
  new DataView(request.buffer).setInt32(NAME_LENGTH, mtu, true);
  if (withSocket((socket) => libc.ioctl(socket, SIOCSIFMTU, request)) < 0) {
    throw new Error(`Cannot set the MTU of ${name} to ${mtu}: ${errnoText(errno())}`);
  }
}

function setInterface(descriptor: number, name: Uint8Array, flags: number): number {
  const request = interfaceRequest(name);
  new DataView(request.buffer).setUint16(NAME_LENGTH, IFF_TUN | IFF_NO_PI | flags, true);
  return libc.ioctl(descriptor, TUNSETIFF, request) < 0 ? errno() : 0;
}

/** All that we can split and merge. Whether UDP segmentation is in it: not on kernels before 6.2. */
function setOffload(descriptor: number): boolean {
  const basic = TUN_F_CSUM | TUN_F_TSO;
  if (libc.ioctlValue(descriptor, TUNSETOFFLOAD, basic | TUN_F_USO) === 0) return true;
  if (libc.ioctlValue(descriptor, TUNSETOFFLOAD, basic) === 0) return false;
  libc.ioctlValue(descriptor, TUNSETOFFLOAD, 0n);
  return false;
}

function interfaceRequest(name: Uint8Array): Uint8Array<ArrayBuffer> {
  const request = new Uint8Array(IFREQ_LENGTH);
  request.set(name);
  return request;
}

function withSocket(action: (socket: number) => number): number {
  const socket = libc.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  const result = action(socket);
  libc.close(socket);
  return result;
}

function openProblem(name: string, error: number): string {
  const why = error === EBUSY
    ? "another process carries an interface of this name; end it, or take another name"
    : errnoText(error);
  return `Cannot open interface ${name}: ${why}`;
}
