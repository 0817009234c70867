/**
 * The kernel's WireGuard (Linux 5.6 and later): an interface of its kind, made, set, read and deleted
 * through netlink. Each call is done when it returns. Messages lie in secret memory and are wiped,
 * both ways: the kernel's answers hold the keys too.
 */
import { EAGAIN, EEXIST, EIO, ENODEV, errnoText } from "../../os/errno.ts";
import { errno, libc } from "../../os/libc.ts";
import { SecretMemory } from "../../os/secret_memory.ts";
import { aligned, attributesIn, HEADER_LENGTH, MessageWriter } from "./attributes.ts";
import { type KernelStatus, StatusReader } from "./get_device.ts";
import { FULL, type KernelChange, MARGIN, setMessages } from "./set_device.ts";
import * as spec from "./spec.ts";

const AF_NETLINK = 16;
/** SOCK_RAW, SOCK_CLOEXEC, SOCK_NONBLOCK: the kernel has answered by the time that sending returns. */
const SOCK_RAW_FLAGS = 3 | 0x80000 | 0x800;
/**
 * Our own choice, "SEKI": all interfaces of a group can be deleted by one command, which the service
 * manager gives when everybody else is dead (deploy/sekisho-gateway.service).
 */
const LINK_GROUP = 0x5345_4b49;
const SEND_BYTES = FULL + 2 * MARGIN;
const RECEIVE_BYTES = 32_768;
const GENERIC_HEADER = 4;

export class NetlinkError extends Error {
  override readonly name = "NetlinkError";
  readonly errno: number;
  constructor(what: string, error: number) {
    super(`Cannot ${what}: ${errnoText(error)}`);
    this.errno = error;
  }
}

export class KernelDevice {
  readonly ifname: string;
  readonly #memory = SecretMemory.allocate(SEND_BYTES + RECEIVE_BYTES);
  readonly #writer = new MessageWriter(this.#memory.take(SEND_BYTES).bytes);
  readonly #answer = this.#memory.take(RECEIVE_BYTES).bytes;
  readonly #route: number;
  readonly #generic: number;
  #family = 0;
  #sequence = 0;
  #closed = false;

  private constructor(ifname: string) {
    this.ifname = ifname;
    this.#route = openSocket(spec.NETLINK_ROUTE);
    this.#generic = openSocket(spec.NETLINK_GENERIC);
  }

  /**
   * Makes the interface, down and without an address; one of the same name and kind that was left
   * behind goes first.
   * @throws {NetlinkError} EOPNOTSUPP where the kernel has no WireGuard.
   */
  static create(ifname: string, mtu: number): KernelDevice {
    const device = new KernelDevice(ifname);
    try {
      try {
        device.#createLink(mtu);
      } catch (error) {
        if (!(error instanceof NetlinkError) || error.errno !== EEXIST) throw error;
        device.#family = device.#findFamily();
        // Throws if it is of another kind: then it is somebody's.
        device.status();
        device.#deleteLink();
        device.#createLink(mtu);
      }
      device.#family = device.#findFamily();
      return device;
    } catch (error) {
      device.#release();
      throw error;
    }
  }

  /**
   * Deletes an interface of this name and of WireGuard's kind that nobody guarded any more, and with
   * it its keys; one of another kind stays. False if there was none, or the kernel has no WireGuard.
   */
  static removeLeftover(ifname: string): boolean {
    const device = new KernelDevice(ifname);
    try {
      device.#family = device.#findFamily();
      device.status();
      device.#deleteLink();
      return true;
    } catch (error) {
      if (error instanceof NetlinkError) return false;
      throw error;
    } finally {
      device.#release();
    }
  }

  /** @throws {NetlinkError} */
  set(change: KernelChange): void {
    this.#mustBeOpen();
    const writer = this.#writer;
    const begin = () => {
      this.#begin(spec.WG_CMD_SET_DEVICE, spec.NLM_F_ACK);
      writer.text(spec.WGDEVICE_A_IFNAME, this.ifname);
    };
    for (const _ of setMessages(change, { writer, begin })) {
      this.#exchange(this.#generic, { what: `configure ${this.ifname}` });
    }
  }

  /** @throws {NetlinkError} ENODEV when the interface is gone. */
  status(): KernelStatus {
    this.#mustBeOpen();
    const reader = new StatusReader();
    this.#begin(spec.WG_CMD_GET_DEVICE, spec.NLM_F_DUMP);
    this.#writer.text(spec.WGDEVICE_A_IFNAME, this.ifname);
    this.#exchange(this.#generic, {
      what: `read ${this.ifname}`,
      take: (body) => reader.take(body.subarray(GENERIC_HEADER)),
    });
    return reader.status;
  }

  /**
   * Deletes the interface, with which the kernel wipes its keys, and gives everything back. The
   * private key goes first, at once: an interface takes the kernel some milliseconds. Reading it
   * once more puts an answer without keys where the kernel wrote the last one, which it doesn't wipe.
   */
  close(): void {
    if (this.#closed) return;
    try {
      this.set({ identity: { kind: "none" } });
      this.set({ replacePeers: true });
      this.status();
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
    }
    try {
      this.#deleteLink();
    } catch (error) {
      // Deleted by others meanwhile: what was wanted.
      if (!(error instanceof NetlinkError)) throw error;
    } finally {
      this.#release();
    }
  }

  /** Its memory is gone: writing to it would end the process. */
  #mustBeOpen(): void {
    if (this.#closed) throw new NetlinkError(`reach ${this.ifname}`, ENODEV);
  }

  #release(): void {
    this.#closed = true;
    this.#memory.free();
    libc.close(this.#route);
    libc.close(this.#generic);
  }

  #createLink(mtu: number): void {
    const writer = this.#writer;
    this.#beginLink(spec.RTM_NEWLINK, spec.NLM_F_CREATE | spec.NLM_F_EXCL);
    writer.u32(spec.IFLA_MTU, mtu);
    writer.u32(spec.IFLA_GROUP, LINK_GROUP);
    writer.nested(
      spec.IFLA_LINKINFO,
      () => writer.bytes(spec.IFLA_INFO_KIND, new TextEncoder().encode(spec.WG_FAMILY)),
    );
    this.#exchange(this.#route, { what: `make ${this.ifname} in the kernel` });
  }

  #deleteLink(): void {
    this.#beginLink(spec.RTM_DELLINK, 0);
    this.#exchange(this.#route, { what: `delete ${this.ifname}` });
  }

  #beginLink(type: number, flags: number): void {
    const header = { type, flags: spec.NLM_F_REQUEST | spec.NLM_F_ACK | flags };
    // struct ifinfomsg, all zero.
    this.#writer.begin({ ...header, sequence: ++this.#sequence }, new Uint8Array(16));
    this.#writer.text(spec.IFLA_IFNAME, this.ifname);
  }

  #begin(command: number, flags: number): void {
    this.#writer.begin(
      { type: this.#family, flags: spec.NLM_F_REQUEST | flags, sequence: ++this.#sequence },
      Uint8Array.of(command, spec.WG_VERSION, 0, 0),
    );
  }

  /** The number by which this kernel knows WireGuard's messages. */
  #findFamily(): number {
    let found = 0;
    this.#writer.begin(
      {
        type: spec.GENL_ID_CTRL,
        flags: spec.NLM_F_REQUEST | spec.NLM_F_ACK,
        sequence: ++this.#sequence,
      },
      Uint8Array.of(spec.CTRL_CMD_GETFAMILY, 1, 0, 0),
    );
    this.#writer.text(spec.CTRL_ATTR_FAMILY_NAME, spec.WG_FAMILY);
    this.#exchange(this.#generic, {
      what: "find the kernel's WireGuard",
      take: (body) => {
        for (const { type, value } of attributesIn(body.subarray(GENERIC_HEADER))) {
          if (type === spec.CTRL_ATTR_FAMILY_ID) found = (value[0] ?? 0) | (value[1] ?? 0) << 8;
        }
      },
    });
    return found;
  }

  /** Sends what was written, and takes the answers up to the last. */
  #exchange(
    socket: number,
    { what, take = () => {} }: { what: string; take?: (body: Uint8Array) => void },
  ): void {
    try {
      const message = this.#writer.end();
      if (libc.write(socket, message, BigInt(message.length)) !== message.length) {
        throw new NetlinkError(what, errno());
      }
      while (!this.#receive(socket, { what, take })) {
        // A dump comes in several parts.
      }
    } finally {
      this.#writer.wipe();
      this.#answer.fill(0);
    }
  }

  /** Takes one datagram; true if the answer ends in it. */
  #receive(
    socket: number,
    { what, take }: { what: string; take: (body: Uint8Array) => void },
  ): boolean {
    const bytes = this.#answer;
    const got = libc.recv(socket, bytes, BigInt(bytes.length), 0);
    if (got < 0) {
      const error = errno();
      throw new NetlinkError(what, error === EAGAIN ? EIO : error);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + HEADER_LENGTH <= got;) {
      const length = view.getUint32(at, true);
      if (length < HEADER_LENGTH || at + length > got) throw new NetlinkError(what, EIO);
      const type = view.getUint16(at + 4, true);
      const ours = view.getUint32(at + 8, true) === this.#sequence;
      if (ours && (type === spec.NLMSG_ERROR || type === spec.NLMSG_DONE)) {
        const error = length >= HEADER_LENGTH + 4 ? -view.getInt32(at + HEADER_LENGTH, true) : 0;
        if (error > 0) throw new NetlinkError(what, error);
        return true;
      }
      if (ours) take(bytes.subarray(at + HEADER_LENGTH, at + length));
      at += aligned(length);
    }
    return false;
  }
}

function openSocket(protocol: number): number {
  const socket = libc.socket(AF_NETLINK, SOCK_RAW_FLAGS, protocol);
  if (socket < 0) throw new NetlinkError("speak with the kernel", errno());
  return socket;
}
