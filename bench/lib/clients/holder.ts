/**
 * Clients with a session each, run in a machine of its own: `RESPONDER_KEY CLIENTS`. Each is a whole
 * device. Prints how many sessions stand once nothing more comes, and ends when its input does.
 */
import { bestCrypto } from "../../../tunnel/protocol/native.ts";
import { Device } from "../../../tunnel/protocol/device.ts";
import { type Endpoint, endpointOf } from "../../../tunnel/protocol/endpoint.ts";
import { KeyPool } from "../../../tunnel/protocol/key_pool.ts";
import { ipv4Packet } from "../../../tunnel/protocol/simulation.ts";
import { clientOfAddress, clientPrivateKey, insideAddress, outsideAddress } from "./clients.ts";
import { ManyAddresses } from "./wire_side.ts";

const RESPONDER = { address: 0xc0000202, port: 51820 };
/** Below what makes a responder ask for cookies. */
const PER_SECOND = 250;
const PATIENCE_MS = 15_000;
const PACKET_AT = 4096;

const [keyText = "", countText = ""] = Deno.args;
const count = Number(countText);
const responderKey = Uint8Array.fromBase64(keyText);
const responder = endpointOf({ family: 4, words: [RESPONDER.address] }, RESPONDER.port);
const crypto = await bestCrypto();
const wire = new ManyAddresses(RESPONDER);
const arena = new Uint8Array(16_384);
const pool = new KeyPool(new Uint8Array(65_536), () => new Uint8Array(65_536));
let standing = 0;

const devices = Array.from({ length: count }, (_, index) => open(index));
const started = performance.now();
for (let next = 0; standing < count && performance.now() - started < PATIENCE_MS;) {
  const now = performance.now();
  for (; next < count && next < (now - started) * PER_SECOND / 1000; next++) begin(next, now);
  for (let got = wire.receive(); got !== undefined; got = wire.receive()) {
    arena.set(got.message);
    devices[clientOfAddress(got.toAddress)]?.datagram(0, got.message.length, {
      source: responder,
      now,
    });
  }
  for (const device of devices) if (device.nextDeadline() <= now) device.tick(now);
  await new Promise((resolve) => setTimeout(resolve, 1));
}
console.log(JSON.stringify({ standing }));
await Deno.stdin.read(new Uint8Array(1));

function open(index: number): Device {
  const fromAddress = outsideAddress(index);
  const device = new Device({
    crypto,
    arena,
    pool,
    now: performance.now(),
    mtu: 1420,
    outside: {
      sendMessage: (_: Endpoint, message: Uint8Array) => wire.send(message, fromAddress),
      sendData: (_: Endpoint, offset: number, length: number) =>
        wire.send(arena.subarray(offset, offset + length), fromAddress),
      deliver: () => {},
      reserve: () => PACKET_AT,
      requestDh: () => {},
      event: ({ kind }) => {
        if (kind === "handshake-completed") standing++;
      },
      random: (out) => globalThis.crypto.getRandomValues(out as Uint8Array<ArrayBuffer>),
      wallClock: () => Date.now(),
    },
  });
  device.configure({
    identity: { kind: "local", privateKey: clientPrivateKey(index) },
    peers: [{
      publicKey: responderKey,
      endpoint: responder,
      allowedIps: [{ family: 4, words: [0], length: 0 }],
    }],
  }, performance.now());
  return device;
}

/** Sends a packet, for which a session must first be made. */
function begin(index: number, now: number): void {
  const inside = insideAddress(index);
  const from = [inside >>> 24, inside >>> 16, inside >>> 8, inside].map((byte) => byte & 255);
  const packet = ipv4Packet(from.join("."), "10.7.0.2");
  arena.set(packet, PACKET_AT);
  devices[index]?.packetFromTun(PACKET_AT, packet.length, now);
}
