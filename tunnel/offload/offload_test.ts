import assert from "node:assert/strict";
import fc from "fast-check";
import { Run } from "./merge.ts";
import { type PacketMemory, packetMemory, plainMemory } from "./packet_memory.ts";
import { finishChecksum, split } from "./split.ts";
import {
  emptyVnetHeader,
  GSO_TCP4,
  GSO_TCP6,
  GSO_UDP,
  NEEDS_CHECKSUM,
  readVnetHeader,
  type VnetHeader,
} from "./vnet_header.ts";

const PLACE = 16;
const SEGMENTS = 1 << 17;
/** In turn, so that everything holds on both. */
const MEMORIES: readonly PacketMemory[] = [packetMemory(1 << 18), plainMemory(1 << 18)];
let turn = 0;

interface Shape {
  readonly version: 4 | 6;
  readonly udp: boolean;
  readonly options: number;
  readonly payload: Uint8Array;
  readonly segmentSize: number;
  readonly flags: number;
  readonly tos: number;
}

const shape: fc.Arbitrary<Shape> = fc.record({
  version: fc.constantFrom(4 as const, 6 as const),
  udp: fc.boolean(),
  options: fc.integer({ min: 0, max: 10 }),
  payload: fc.uint8Array({ minLength: 1, maxLength: 9000 }),
  segmentSize: fc.integer({ min: 200, max: 1400 }),
  flags: fc.constantFrom(0x10, 0x18, 0x90, 0x11),
  tos: fc.nat(255),
});

Deno.test("split: every segment is a whole packet with right lengths, numbers and checksums", () => {
  fc.assert(
    fc.property(shape, (shape) => {
      const { memory, packet } = build(shape);
      const segments = cut(memory, packet);
      assert.equal(segments.length, Math.ceil(shape.payload.length / shape.segmentSize));
      const start = shape.version === 4 ? 20 : 40;
      const headerLength = start + (shape.udp ? 8 : 20 + 4 * shape.options);
      const payload = segments.flatMap((segment) => [...segment.subarray(headerLength)]);
      assert.deepEqual(Uint8Array.from(payload), shape.payload);
      for (const [index, segment] of segments.entries()) {
        const view = new DataView(segment.buffer);
        const last = index === segments.length - 1;
        if (shape.version === 4) {
          assert.equal(view.getUint16(2), segment.length);
          assert.equal(view.getUint16(4), (0xfffe + index) & 0xffff);
          assert.equal(sum(segment.subarray(0, 20)), 0xffff);
          assert.equal(segment[1], shape.tos);
        } else {
          assert.equal(view.getUint16(4), segment.length - 40);
        }
        assert.equal(transportSum(segment, shape.version, shape.udp ? 17 : 6), 0xffff);
        if (shape.udp) continue;
        assert.equal(view.getUint32(start + 4), (0xffffff00 + index * shape.segmentSize) >>> 0);
        let flags = shape.flags;
        if (index > 0) flags &= ~0x80;
        if (!last) flags &= ~0x09;
        assert.equal(segment[start + 13], flags);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("what was split is merged again into the same packet", () => {
  const tcp = shape.filter(({ udp, flags }) => !udp && (flags === 0x10 || flags === 0x18));
  fc.assert(
    fc.property(tcp, (shape) => {
      const { memory, packet } = build(shape);
      const original = memory.bytes.slice(packet.offset, packet.offset + packet.length);
      const places: [number, number][] = [];
      cut(memory, packet, (offset, length) => places.push([offset, length]));
      const { merged, vnet, count } = merge(memory, places);
      assert.equal(count, places.length);
      if (places.length === 1) return;
      assert.deepEqual(withoutChecksums(merged, shape), withoutChecksums(original, shape));
      const header = emptyVnetHeader();
      readVnetHeader(vnet, header);
      assert.equal(header.segmentSize, shape.segmentSize);
      // And cutting it again gives what came.
      memory.bytes.set(merged, packet.offset);
      const before = places.map(([offset, length]) => memory.bytes.slice(offset, offset + length));
      const again = cut(memory, { offset: packet.offset, length: merged.length, header });
      if (shape.version === 6) assert.deepEqual(again.slice(1), before.slice(1));
      assert.equal(again.length, places.length);
      for (const segment of again) assert.equal(transportSum(segment, shape.version, 6), 0xffff);
    }),
    { numRuns: 200 },
  );
});

Deno.test("segments whose headers differ are not merged", () => {
  const base: Shape = {
    version: 4,
    udp: false,
    options: 3,
    payload: new Uint8Array(2800).fill(7),
    segmentSize: 1400,
    flags: 0x10,
    tos: 0,
  };
  const changes: Record<string, (segment: DataView) => void> = {
    "type of service": (view) => view.setUint8(1, 1),
    "time to live": (view) => view.setUint8(8, 1),
    fragment: (view) => view.setUint16(6, 0x2000),
    protocol: (view) => view.setUint8(9, 17),
    source: (view) => view.setUint32(12, 1),
    port: (view) => view.setUint16(20, 1),
    sequence: (view) => view.setUint32(24, 1),
    acknowledgement: (view) => view.setUint32(28, 1),
    flags: (view) => view.setUint8(33, 0x12),
    window: (view) => view.setUint16(34, 1),
    option: (view) => view.setUint8(45, 99),
    length: (view) => view.setUint16(2, 1000),
  };
  for (const [name, change] of Object.entries(changes)) {
    const { memory, packet } = build(base);
    const places: [number, number][] = [];
    cut(memory, packet, (offset, length) => places.push([offset, length]));
    assert.equal(merge(memory, places).count, 2);
    const { memory: other, packet: otherPacket } = build(base);
    const otherPlaces: [number, number][] = [];
    cut(other, otherPacket, (offset, length) => otherPlaces.push([offset, length]));
    change(new DataView(other.bytes.buffer, otherPlaces[1]?.[0] ?? 0));
    assert.equal(merge(other, otherPlaces).count, 1, name);
  }
  for (const flags of [0x18, 0x11, 0x02]) {
    const { memory, packet } = build(base);
    const places: [number, number][] = [];
    cut(memory, packet, (offset, length) => places.push([offset, length]));
    memory.bytes[(places[0]?.[0] ?? 0) + 33] = flags;
    assert.equal(merge(memory, places).count, 1, `nothing after flags ${flags}`);
  }
});

Deno.test("a checksum is finished while the packet is copied", () => {
  fc.assert(
    fc.property(shape, (shape) => {
      const { memory, packet } = build(shape);
      const { offset, length, header } = packet;
      const start = header.checksumStart;
      const at = offset + start + header.checksumOffset;
      // The kernel leaves the pseudo header's part there.
      const protocol = shape.udp ? 17 : 6;
      const addresses = memory.bytes.slice(offset + (start === 20 ? 12 : 8), offset + start);
      const part = sum(addresses, protocol + length - start);
      memory.bytes[at] = part >>> 8;
      memory.bytes[at + 1] = part;
      const before = memory.bytes.slice(offset, offset + length);
      assert.ok(finishChecksum(memory, packet, SEGMENTS));
      const packetNow = memory.bytes.slice(SEGMENTS, SEGMENTS + length);
      assert.equal(transportSum(packetNow, shape.version, protocol), 0xffff);
      packetNow.set(before.subarray(at - offset, at - offset + 2), at - offset);
      assert.deepEqual(packetNow, before);
    }),
    { numRuns: 200 },
  );
});

Deno.test("headers that lie are refused, whatever they say", () => {
  const memory = newMemory();
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.record({
        flags: fc.nat(255),
        gsoType: fc.constantFrom(GSO_TCP4, GSO_TCP6, GSO_UDP, 0x81, 3, 77),
        segmentSize: fc.nat(400),
        checksumStart: fc.nat(320),
        checksumOffset: fc.nat(320),
      }),
      (bytes, header) => {
        memory.bytes.set(bytes, PLACE);
        const packet = { offset: PLACE, length: bytes.length, header };
        finishChecksum(memory, packet, SEGMENTS);
        let total = 0;
        split(memory, packet, {
          place: () => SEGMENTS,
          done: (_, length) => {
            total += length;
          },
        });
        assert.ok(total <= 300 * 300);
        const run = new Run(memory, { tcp: true, udp: true });
        run.begin(PLACE, bytes.length);
        run.take(PLACE, bytes.length);
        run.finish(new Uint8Array(10));
      },
    ),
    { numRuns: 2000 },
  );
});

function newMemory(): PacketMemory {
  const memory = MEMORIES[turn++ % 2];
  assert.ok(memory);
  memory.bytes.fill(0);
  return memory;
}

/** A large packet as the TUN hands it out. */
function build(shape: Shape) {
  const { version, udp, options, payload } = shape;
  const memory = newMemory();
  const start = version === 4 ? 20 : 40;
  const transport = udp ? 8 : 20 + 4 * options;
  const length = start + transport + payload.length;
  const view = new DataView(memory.bytes.buffer, PLACE, length);
  if (version === 4) {
    view.setUint16(0, 0x4500 | shape.tos);
    view.setUint16(2, length);
    view.setUint16(4, 0xfffe);
    view.setUint8(8, 64);
    view.setUint8(9, udp ? 17 : 6);
    view.setUint32(12, 0x0a070001);
    view.setUint32(16, 0x0a070002);
  } else {
    view.setUint32(0, 0x60000000 | (shape.tos << 20));
    view.setUint16(4, length - 40);
    view.setUint8(6, udp ? 17 : 6);
    view.setUint8(7, 64);
    view.setUint32(8, 0xfd070000);
    view.setUint32(36, 2);
  }
  view.setUint16(start, 4321);
  view.setUint16(start + 2, 5201);
  if (udp) {
    view.setUint16(start + 4, length - start);
  } else {
    view.setUint32(start + 4, 0xffffff00);
    view.setUint8(start + 12, (transport / 4) << 4);
    view.setUint8(start + 13, shape.flags);
    view.setUint16(start + 14, 502);
    for (let option = 20; option < transport; option++) view.setUint8(start + option, option);
  }
  memory.bytes.set(payload, PLACE + start + transport);
  const header = {
    flags: NEEDS_CHECKSUM,
    gsoType: udp ? GSO_UDP : version === 4 ? GSO_TCP4 : GSO_TCP6,
    segmentSize: shape.segmentSize,
    checksumStart: start,
    checksumOffset: udp ? 6 : 16,
  };
  return { memory, packet: { offset: PLACE, length, header } };
}

function cut(
  memory: PacketMemory,
  packet: { offset: number; length: number; header: VnetHeader },
  also: (offset: number, length: number) => void = () => {},
): Uint8Array[] {
  const segments: Uint8Array[] = [];
  let next = SEGMENTS;
  const done = split(memory, packet, {
    place: (length) => {
      const offset = next;
      next += (length + 31) & ~15;
      return offset;
    },
    done: (offset, length) => {
      segments.push(memory.bytes.slice(offset, offset + length));
      also(offset, length);
    },
  });
  assert.ok(done);
  return segments;
}

function merge(memory: PacketMemory, places: readonly [number, number][]) {
  const run = new Run(memory, { tcp: true, udp: true });
  const vnet = new Uint8Array(10);
  const parts: Uint8Array[] = [];
  const [first = [0, 0]] = places;
  run.begin(...first);
  for (const [offset, length] of places.slice(1)) {
    if (!run.take(offset, length)) break;
    parts.push(memory.bytes.slice(offset + run.headerLength, offset + length));
  }
  run.finish(vnet);
  const merged = [
    ...memory.bytes.slice(first[0], first[0] + first[1]),
    ...parts.flatMap((part) => [...part]),
  ];
  return { merged: Uint8Array.from(merged), vnet, count: run.count };
}

function withoutChecksums(packet: Uint8Array, { version }: Shape): Uint8Array {
  const copy = packet.slice();
  if (version === 4) copy.fill(0, 10, 12);
  const start = version === 4 ? 20 : 40;
  copy.fill(0, start + 16, start + 18);
  return copy;
}

/** One's complement sum, byte by byte as RFC 1071 has it; 0xffff if the checksum in it is right. */
function sum(bytes: Uint8Array, before = 0): number {
  let total = before;
  for (const [index, byte] of bytes.entries()) total += index % 2 === 0 ? byte << 8 : byte;
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

function transportSum(packet: Uint8Array, version: 4 | 6, protocol: number): number {
  const start = version === 4 ? 20 : 40;
  const addresses = packet.subarray(version === 4 ? 12 : 8, version === 4 ? 20 : 40);
  const pseudo = sum(addresses) + protocol + (packet.length - start);
  return sum(packet.subarray(start), pseudo);
}
