/** The answer to `get` of the cross-platform configuration protocol, as bytes. */
import { type DeviceStatus, type PeerStatus, type PublicKey, publicKeyBytes } from "../api.ts";

/** Secrets to be shown; absent ones are left out. */
export interface ShownSecrets {
  readonly privateKey: Uint8Array | undefined;
  presharedKeyOf(peer: PublicKey): Uint8Array | undefined;
}

const NO_SECRETS: ShownSecrets = { privateKey: undefined, presharedKeyOf: () => undefined };
const NO_KEY = new Uint8Array(32);

/** The caller wipes the result after it is sent. */
export function formatStatus(
  status: DeviceStatus,
  secrets: ShownSecrets = NO_SECRETS,
): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter();
  if (secrets.privateKey !== undefined) out.secret("private_key", secrets.privateKey);
  out.text(`listen_port=${status.listenPort}\n`);
  if (status.fwmark !== 0) out.text(`fwmark=${status.fwmark}\n`);
  for (const peer of status.peers) writePeer(out, peer, secrets);
  out.text("errno=0\n\n");
  return out.take();
}

function writePeer(out: ByteWriter, peer: PeerStatus, secrets: ShownSecrets): void {
  out.text(`public_key=${publicKeyBytes(peer.publicKey).toHex()}\n`);
  out.secret("preshared_key", secrets.presharedKeyOf(peer.publicKey) ?? NO_KEY);
  out.text("protocol_version=1\n");
  if (peer.endpoint !== undefined) out.text(`endpoint=${peer.endpoint}\n`);
  const seconds = Math.floor(peer.lastHandshake / 1000);
  const nanos = Math.floor((peer.lastHandshake - seconds * 1000) * 1e6);
  out.text(
    `last_handshake_time_sec=${seconds}\nlast_handshake_time_nsec=${nanos}\n` +
      `tx_bytes=${peer.txBytes}\nrx_bytes=${peer.rxBytes}\n` +
      `persistent_keepalive_interval=${peer.persistentKeepalive}\n`,
  );
  for (const prefix of peer.allowedIps) out.text(`allowed_ip=${prefix}\n`);
}

const DIGITS = "0123456789abcdef";

/** A growing buffer that leaves no copy behind. */
class ByteWriter {
  #bytes = new Uint8Array(4096);
  #length = 0;

  text(text: string): void {
    const encoded = new TextEncoder().encode(text);
    this.#room(encoded.length);
    this.#bytes.set(encoded, this.#length);
    this.#length += encoded.length;
  }

  secret(name: string, bytes: Uint8Array): void {
    this.text(`${name}=`);
    this.#room(bytes.length * 2 + 1);
    for (const byte of bytes) {
      this.#bytes[this.#length++] = DIGITS.charCodeAt(byte >> 4);
      this.#bytes[this.#length++] = DIGITS.charCodeAt(byte & 15);
    }
    this.text("\n");
  }

  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    larger.set(this.#bytes);
    this.#bytes.fill(0);
    this.#bytes = larger;
  }
}
