/**
 * A change of configuration as the messages that make it in the kernel. No I/O: each message is
 * written to the writer's memory, which is secret since keys are in it, and must be sent before the
 * next is asked for. A change too long for one message is spread over several, as `wg` does it.
 */
import type { Prefix } from "../protocol/allowed_ips.ts";
import type { DeviceChange, PeerChange } from "../protocol/device.ts";
import type { Endpoint } from "../protocol/endpoint.ts";
import { KEY_LENGTH } from "../protocol/spec.ts";
import type { MessageWriter } from "./attributes.ts";
import * as spec from "./spec.ts";

export interface KernelChange extends DeviceChange {
  readonly listenPort?: number;
  readonly fwmark?: number;
}

/** Bytes of a message after which another one is begun; an attribute can't hold more than 65,535. */
export const FULL = 24_576;
/** Room for the largest peer without allowed IPs, or the largest allowed IP. */
export const MARGIN = 512;

const NO_KEY = new Uint8Array(KEY_LENGTH);

/**
 * @param begin Begins a message in `writer`: header, command, interface.
 * @yields once for each message, after it was written.
 */
export function* setMessages(
  change: KernelChange,
  { writer, begin }: { writer: MessageWriter; begin: () => void },
): Generator<void> {
  begin();
  writeDevice(change, writer);
  const waiting = [...change.peers ?? []];
  let prefixes = 0;
  for (;;) {
    writer.nested(spec.WGDEVICE_A_PEERS, () => {
      for (let peer = waiting[0]; peer !== undefined && !isFull(writer); peer = waiting[0]) {
        prefixes = writePeer(peer, { writer, from: prefixes });
        if (prefixes < (peer.allowedIps?.length ?? 0)) return;
        prefixes = 0;
        waiting.shift();
      }
    });
    yield;
    if (waiting.length === 0) return;
    begin();
  }
}

function isFull(writer: MessageWriter): boolean {
  return writer.length >= FULL;
}

function writeDevice(change: KernelChange, writer: MessageWriter): void {
  const { identity, listenPort, fwmark } = change;
  if (identity?.kind === "none") writer.bytes(spec.WGDEVICE_A_PRIVATE_KEY, NO_KEY);
  if (identity?.kind === "local") {
    writer.bytes(spec.WGDEVICE_A_PRIVATE_KEY, identity.privateKey);
  }
  if (listenPort !== undefined) writer.u16(spec.WGDEVICE_A_LISTEN_PORT, listenPort);
  if (fwmark !== undefined) writer.u32(spec.WGDEVICE_A_FWMARK, fwmark);
  if (change.replacePeers === true) {
    writer.u32(spec.WGDEVICE_A_FLAGS, spec.WGDEVICE_F_REPLACE_PEERS);
  }
}

/** Writes the peer, beginning with the allowed IP `from`; returns which one comes next. */
function writePeer(
  peer: PeerChange,
  { writer, from }: { writer: MessageWriter; from: number },
): number {
  const { allowedIps = [] } = peer;
  let next = from;
  writer.nested(0, () => {
    writer.bytes(spec.WGPEER_A_PUBLIC_KEY, peer.publicKey);
    if (from === 0) writeSettings(peer, writer);
    // What goes on in a further message must not make a peer anew that was refused.
    else writer.u32(spec.WGPEER_A_FLAGS, spec.WGPEER_F_UPDATE_ONLY);
    if (peer.remove === true) {
      next = allowedIps.length;
      return;
    }
    writer.nested(spec.WGPEER_A_ALLOWEDIPS, () => {
      for (; next < allowedIps.length && !isFull(writer); next++) {
        const prefix = allowedIps[next];
        if (prefix !== undefined) writePrefix(prefix, writer);
      }
    });
  });
  return next;
}

function writeSettings(peer: PeerChange, writer: MessageWriter): void {
  const { presharedKey, endpoint, persistentKeepalive } = peer;
  const flags = (peer.remove === true ? spec.WGPEER_F_REMOVE_ME : 0) |
    (peer.replaceAllowedIps === true ? spec.WGPEER_F_REPLACE_ALLOWEDIPS : 0) |
    (peer.updateOnly === true ? spec.WGPEER_F_UPDATE_ONLY : 0);
  if (flags !== 0) writer.u32(spec.WGPEER_A_FLAGS, flags);
  if (presharedKey !== undefined) {
    writer.bytes(spec.WGPEER_A_PRESHARED_KEY, presharedKey === "none" ? NO_KEY : presharedKey);
  }
  if (endpoint !== undefined) writer.bytes(spec.WGPEER_A_ENDPOINT, socketAddress(endpoint));
  if (persistentKeepalive !== undefined) {
    writer.u16(spec.WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, persistentKeepalive);
  }
}

/** struct sockaddr_in or sockaddr_in6. */
function socketAddress(endpoint: Endpoint): Uint8Array {
  const { family, port, words } = endpoint;
  const bytes = new Uint8Array(family === 4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family === 4 ? spec.AF_INET : spec.AF_INET6, true);
  view.setUint16(2, port);
  if (family === 4) {
    view.setUint32(4, words[1] ?? 0);
    return bytes;
  }
  for (let word = 0; word < 4; word++) view.setUint32(8 + 4 * word, words[1 + word] ?? 0);
  view.setUint32(24, words[5] ?? 0, true);
  return bytes;
}

function writePrefix({ family, words, length }: Prefix, writer: MessageWriter): void {
  const address = new Uint8Array(family === 4 ? 4 : 16);
  const view = new DataView(address.buffer);
  for (let word = 0; word < words.length; word++) view.setUint32(4 * word, words[word] ?? 0);
  writer.nested(0, () => {
    writer.u16(spec.WGALLOWEDIP_A_FAMILY, family === 4 ? spec.AF_INET : spec.AF_INET6);
    writer.bytes(spec.WGALLOWEDIP_A_IPADDR, address);
    writer.u8(spec.WGALLOWEDIP_A_CIDR_MASK, length);
  });
}
