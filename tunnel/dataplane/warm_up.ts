/**
 * Runs one handshake and one packet between two devices in memory, so that code and libraries are
 * loaded and compiled before somebody waits for a tunnel. The keys are made for it and wiped.
 */
import { Device } from "../protocol/device.ts";
import type { Crypto } from "../protocol/crypto.ts";
import { type Endpoint, endpointOf } from "../protocol/endpoint.ts";
import { KeyPool } from "../protocol/key_pool.ts";
import type { Outside } from "../protocol/outside.ts";

const ROUNDS = 3;
const ARENA = 4096;
const PACKET_AT = 1024;
const RESERVED_AT = 2064;
const PACKET_LENGTH = 60;

/** Takes some milliseconds of processor time. */
export function warmUp(crypto: Crypto): void {
  for (let round = 0; round < ROUNDS; round++) {
    const near = new WarmEnd(crypto, 1);
    const far = new WarmEnd(crypto, 2);
    near.meet(far);
    far.meet(near);
    near.sendPacket();
    // Initiation, response, data.
    far.receiveFrom(near);
    near.receiveFrom(far);
    far.receiveFrom(near);
    near.close();
    far.close();
  }
}

class WarmEnd implements Outside {
  readonly #crypto: Crypto;
  readonly #arena = new Uint8Array(ARENA);
  readonly #device: Device;
  readonly #endpoint: Endpoint;
  readonly #privateKey = new Uint8Array(32);
  readonly #publicKey = new Uint8Array(32);
  #sent: Uint8Array[] = [];

  constructor(crypto: Crypto, number: number) {
    this.#crypto = crypto;
    this.#endpoint = endpointOf({ family: 4, words: [number] }, number);
    this.random(this.#privateKey);
    this.#crypto.publicKey(this.#publicKey, this.#privateKey);
    this.#device = new Device({
      crypto,
      outside: this,
      arena: this.#arena,
      pool: new KeyPool(new Uint8Array(1024)),
      now: 0,
      mtu: 1420,
    });
  }

  meet(other: WarmEnd): void {
    this.#device.configure({
      identity: { kind: "local", privateKey: this.#privateKey },
      peers: [{
        publicKey: other.#publicKey,
        endpoint: other.#endpoint,
        allowedIps: [{ family: 4, words: [0], length: 0 }],
      }],
    }, 0);
  }

  sendPacket(): void {
    this.#arena[PACKET_AT] = 0x45;
    this.#arena[PACKET_AT + 3] = PACKET_LENGTH;
    this.#device.packetFromTun(PACKET_AT, PACKET_LENGTH, 0);
  }

  receiveFrom(other: WarmEnd): void {
    const messages = other.#sent;
    other.#sent = [];
    for (const message of messages) {
      this.#arena.set(message);
      this.#device.datagram(0, message.length, { source: other.#endpoint, now: 1 });
    }
  }

  close(): void {
    this.#device.close();
    this.#privateKey.fill(0);
  }

  sendMessage(_endpoint: Endpoint, message: Uint8Array): void {
    this.#sent.push(message);
  }

  sendData(_endpoint: Endpoint, offset: number, length: number): void {
    this.#sent.push(this.#arena.slice(offset, offset + length));
  }

  deliver(): void {}

  reserve(): number {
    return RESERVED_AT;
  }

  requestDh(): void {}

  event(): void {}

  random(out: Uint8Array): void {
    crypto.getRandomValues(out as Uint8Array<ArrayBuffer>);
  }

  wallClock(): number {
    return 0;
  }
}
