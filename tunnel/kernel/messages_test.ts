import assert from "node:assert/strict";
import fc from "fast-check";
import { parseEndpoint, parsePrefix } from "../address.ts";
import type { PeerChange } from "../protocol/device.ts";
import { attributesIn, HEADER_LENGTH, MessageWriter } from "./attributes.ts";
import { StatusReader } from "./get_device.ts";
import { FULL, type KernelChange, MARGIN, setMessages } from "./set_device.ts";
import * as spec from "./spec.ts";

const GENERIC_HEADER = 4;
const HEADER = { type: 0x1c, flags: 0, sequence: 1 };

Deno.test("kernel: a small change is the bytes that the kernel's headers say", () => {
  const publicKey = new Uint8Array(32).fill(7);
  const [message] = messagesOf({
    fwmark: 0x51,
    replacePeers: true,
    peers: [{ publicKey, endpoint: endpoint("192.0.2.1:51820"), persistentKeepalive: 25 }],
  });
  assert.equal(
    message?.toHex(),
    [
      "70000000" + "1c00" + "0000" + "01000000" + "00000000", // length, type, flags, sequence, port
      "01010000", // WG_CMD_SET_DEVICE, version 1
      "0800" + "0700" + "51000000", // FWMARK
      "0800" + "0500" + "01000000", // FLAGS: REPLACE_PEERS
      "4c00" + "0880" + "4800" + "0080", // PEERS, the first one
      "2400" + "0100" + "07".repeat(32), // PUBLIC_KEY
    ].join("") + "1400" + "0400" + "0200" + "ca6c" + "c0000201" + "00".repeat(8) + // ENDPOINT
      "0600" + "0500" + "1900" + "0000" + // PERSISTENT_KEEPALIVE_INTERVAL
      "0400" + "0980", // ALLOWEDIPS
  );
});

Deno.test("kernel: what is set is what would be read, whole, however many messages it takes", () => {
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const prefix = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
  ).map(([address, length]) => parsePrefix(`${address}/${length}`)).filter((one) =>
    one !== undefined
  );
  const peer = fc.record({
    publicKey: key,
    presharedKey: key,
    endpoint: fc.constantFrom("192.0.2.1:1", "[2001:db8::1]:65535", "[fe80::1%7]:51820")
      .map(endpoint),
    persistentKeepalive: fc.integer({ min: 0, max: 65_535 }),
    allowedIps: fc.array(prefix, { maxLength: 40 })
      .chain((few) => fc.constantFrom(1, 1, 60).map((times) => Array(times).fill(few).flat())),
  });
  fc.assert(
    fc.property(fc.uniqueArray(peer, { maxLength: 8, selector: hex }), (peers) => {
      const reader = new StatusReader();
      for (const message of messagesOf({ listenPort: 4000, fwmark: 9, peers })) {
        assert.ok(message.length <= FULL + 2 * MARGIN);
        reader.take(message.subarray(HEADER_LENGTH + GENERIC_HEADER));
      }
      const { status } = reader;
      assert.deepEqual([status.listenPort, status.fwmark], [4000, 9]);
      assert.deepEqual(
        status.peers.map((one) => Uint8Array.fromBase64(one.publicKey).toHex()),
        peers.map(hex),
      );
      for (const [index, { allowedIps, persistentKeepalive, presharedKey }] of peers.entries()) {
        const read = status.peers[index];
        assert.deepEqual(read?.allowedIps.map(parsePrefix).map(plain), allowedIps.map(plain));
        assert.equal(read?.persistentKeepalive, persistentKeepalive);
        assert.equal(read?.hasPresharedKey, presharedKey.some((byte) => byte !== 0));
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("kernel: a peer that goes, a key that goes, a key that is replaced", () => {
  const publicKey = new Uint8Array(32).fill(7);
  const [message = new Uint8Array(0), ...more] = messagesOf({
    identity: { kind: "none" },
    peers: [{ publicKey, remove: true }, { publicKey, updateOnly: true, presharedKey: "none" }],
  });
  assert.equal(more.length, 0);
  const [privateKey, peers] = [...attributesIn(message.subarray(HEADER_LENGTH + GENERIC_HEADER))];
  assert.equal(privateKey?.type, spec.WGDEVICE_A_PRIVATE_KEY);
  assert.deepEqual(privateKey?.value, new Uint8Array(32));
  const details = [...attributesIn(peers?.value ?? new Uint8Array(0))].map(({ value }) =>
    Object.fromEntries([...attributesIn(value)].map((one) => [one.type, one.value]))
  );
  assert.deepEqual(details[0]?.[spec.WGPEER_A_FLAGS], Uint8Array.of(1, 0, 0, 0));
  assert.deepEqual(details[1]?.[spec.WGPEER_A_FLAGS], Uint8Array.of(4, 0, 0, 0));
  assert.deepEqual(details[1]?.[spec.WGPEER_A_PRESHARED_KEY], new Uint8Array(32));
});

Deno.test("kernel: no answer, however broken, makes the reader throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
    new StatusReader().take(bytes);
  }));
});

function messagesOf(change: KernelChange): Uint8Array[] {
  const writer = new MessageWriter(new Uint8Array(FULL + 2 * MARGIN));
  const begin = () => writer.begin(HEADER, Uint8Array.of(spec.WG_CMD_SET_DEVICE, 1, 0, 0));
  const messages: Uint8Array[] = [];
  for (const _ of setMessages(change, { writer, begin })) messages.push(writer.end().slice());
  return messages;
}

function endpoint(text: string) {
  const parsed = parseEndpoint(text);
  assert.ok(parsed !== undefined);
  return parsed;
}

function hex({ publicKey }: Pick<PeerChange, "publicKey">): string {
  return publicKey.toHex();
}

function plain(prefix: ReturnType<typeof parsePrefix>) {
  return { ...prefix, words: Array.from(prefix?.words ?? []) };
}
