/** What is cut on its way out of the TUN, and merged on its way in. */
import assert from "node:assert/strict";
import { Run } from "../../tunnel/offload/merge.ts";
import {
  type PacketMemory,
  packetMemory,
  plainMemory,
} from "../../tunnel/offload/packet_memory.ts";
import { finishChecksum, split } from "../../tunnel/offload/split.ts";
import {
  emptyVnetHeader,
  GSO_ECN,
  GSO_NONE,
  GSO_TCP4,
  GSO_TCP6,
  GSO_UDP,
  readVnetHeader,
} from "../../tunnel/offload/vnet_header.ts";
import { ipv4Packet } from "../../tunnel/protocol/simulation.ts";
import type { FuzzTarget } from "./target.ts";

const VNET_LENGTH = 10;
const SPACE = 1 << 18;
const FIRST = 1024;
const OUT = 1 << 16;
/** With vectors and without: the first byte of the input chooses. */
const MEMORIES: readonly PacketMemory[] = [packetMemory(SPACE), plainMemory(SPACE)];

/** To cut again what was merged in one of those. */
const SECOND = plainMemory(SPACE);

/** A virtio_net_hdr, then a packet: as a kernel gone mad would hand it out. */
const cutting: FuzzTarget = {
  name: "cutting",
  seeds: [
    cuttable({ gsoType: GSO_TCP4, size: 100, packet: tcp4(500) }),
    cuttable({ gsoType: GSO_UDP, size: 64, packet: udp4(300) }),
    cuttable({ gsoType: GSO_TCP6, size: 33, packet: tcp6(333) }),
    cuttable({ gsoType: GSO_TCP4 | GSO_ECN, size: 100, packet: tcp4(250), start: 24 }),
    cuttable({ gsoType: GSO_NONE, size: 0, packet: udp4(50) }),
  ],
  run(input) {
    const memory = clean(input[0] ?? 0);
    const header = emptyVnetHeader();
    readVnetHeader(input.subarray(1, 1 + VNET_LENGTH), header);
    const packet = input.subarray(1 + VNET_LENGTH);
    if (packet.length === 0) return "nothing";
    memory.bytes.set(packet, FIRST);
    const place = { offset: FIRST, length: packet.length, header };
    if (header.gsoType === GSO_NONE) {
      const done = finishChecksum(memory, place, OUT);
      if (!done) return "checksum refused";
      const now = memory.bytes.slice(OUT, OUT + packet.length);
      const at = header.checksumStart + header.checksumOffset;
      assert.deepEqual(without(now, [at, 2]), without(packet, [at, 2]), "only its checksum");
      return "checksum finished";
    }
    const segments: Uint8Array[] = [];
    let next = OUT;
    const done = split(memory, place, {
      place: (length) => {
        const offset = next;
        next += (length + 31) & ~15;
        // As the data plane does when its space is used up.
        if (next > SPACE - 4096) next = OUT;
        return offset;
      },
      done: (offset, length) => segments.push(memory.bytes.slice(offset, offset + length)),
    });
    if (!done) return `refused ${header.gsoType & 7}`;
    checkSegments(packet, { segments, header });
    return `cut ${header.gsoType} ${Math.min(4, segments.length)} ${header.checksumStart}`;
  },
};

function checkSegments(
  packet: Uint8Array,
  parts: { segments: readonly Uint8Array[]; header: ReturnType<typeof emptyVnetHeader> },
): void {
  const { segments, header } = parts;
  const udp = (header.gsoType & ~GSO_ECN) === GSO_UDP;
  const start = header.checksumStart;
  const headerLength = start + (udp ? 8 : ((packet[start + 12] ?? 0) >> 4) * 4);
  const payload = segments.flatMap((segment) => [...segment.subarray(headerLength)]);
  assert.deepEqual(Uint8Array.from(payload), packet.slice(headerLength), "all bytes, in order");
  const four = (packet[0] ?? 0) >> 4 === 4;
  const changing: [number, number][] = four ? [[2, 4], [10, 2]] : [[4, 2]];
  for (const segment of segments) {
    assert.ok(segment.length <= headerLength + header.segmentSize);
    // Type of service with ECN, options, extension headers, addresses: as they were.
    assert.deepEqual(
      without(segment.slice(0, start), ...changing),
      without(packet.slice(0, start), ...changing),
    );
    const view = new DataView(segment.buffer);
    if (four) assert.equal(view.getUint16(2), segment.length);
    else assert.equal(view.getUint16(4) + 40, segment.length & 0xffff);
    if (four && ((packet[0] ?? 0) & 15) * 4 === start) {
      assert.equal(sum(segment.subarray(0, start)), 0xffff, "checksum of the IP header");
    }
    const addresses = segment.subarray(four ? 12 : 8, four ? 20 : 40);
    const pseudo = sum(addresses) + (udp ? 17 : 6) + (segment.length - start);
    const checksum = sum(segment.subarray(start), pseudo);
    assert.equal(checksum, 0xffff, "checksum of the segment");
  }
}

/** Packets, each behind two bytes of length, as peers may send them one after the other. */
const merging: FuzzTarget = {
  name: "merging",
  seeds: [
    packets([tcp4(100, 0), tcp4(100, 60), tcp4(80, 120)]),
    packets([udp4(100), udp4(100), udp4(60), udp4(100)]),
    packets([tcp6(200, 0), tcp6(200, 140), udp4(40)]),
    packets([ipv4Packet("10.0.0.1", "10.0.0.2"), tcp4(90, 0)]),
  ],
  run(input) {
    const memory = clean(input[0] ?? 0);
    const places: { offset: number; length: number }[] = [];
    let next = FIRST;
    for (let at = 1; at + 2 <= input.length;) {
      const length = ((input[at] ?? 0) << 8 | (input[at + 1] ?? 0)) & 0x7ff;
      const packet = input.subarray(at + 2, at + 2 + length);
      at += 2 + length;
      if (packet.length === 0) continue;
      memory.bytes.set(packet, next);
      places.push({ offset: next, length: packet.length });
      next += (packet.length + 47) & ~15;
    }
    const before = places.map(({ offset, length }) => memory.bytes.slice(offset, offset + length));
    const choices = { tcp: true, udp: ((input[0] ?? 0) & 2) === 0 };
    const counts: number[] = [];
    for (let index = 0; index < places.length;) {
      const run = new Run(memory, choices);
      const first = places[index] ?? { offset: 0, length: 0 };
      run.begin(first.offset, first.length);
      let end = index + 1;
      for (let place = places[end]; place !== undefined; place = places[++end]) {
        if (!run.take(place.offset, place.length)) break;
      }
      const vnet = new Uint8Array(VNET_LENGTH);
      run.finish(vnet);
      const whole = Uint8Array.from(
        places.slice(index, end).flatMap(({ offset, length }, part) => {
          const from = part === 0 ? offset : offset + run.headerLength;
          return [...memory.bytes.slice(from, offset + length)];
        }),
      );
      assert.equal(run.count, end - index);
      checkMerged(whole, { vnet, before: before.slice(index, end) });
      run.undo();
      for (let part = index; part < end; part++) {
        const { offset, length } = places[part] ?? { offset: 0, length: 0 };
        const now = memory.bytes.slice(offset, offset + length);
        // Undoing computes the checksum of the IPv4 header anew.
        assert.deepEqual(without(now, [10, 2]), without(before[part] ?? now, [10, 2]), "undone");
      }
      counts.push(Math.min(3, end - index));
      index = end;
    }
    return counts.slice(0, 6).join(" ");
  },
};

/** Cut again it must be what came; but for checksums, which the AEAD has made superfluous. */
function checkMerged(
  whole: Uint8Array,
  { vnet, before }: { vnet: Uint8Array; before: readonly Uint8Array[] },
): void {
  const [first] = before;
  if (before.length === 1) {
    assert.deepEqual(whole, first, "alone it stays as it is");
    assert.ok(vnet.every((byte) => byte === 0));
    return;
  }
  const header = emptyVnetHeader();
  readVnetHeader(vnet, header);
  const memory = SECOND;
  memory.bytes.fill(0);
  memory.bytes.set(whole, FIRST);
  const segments: Uint8Array[] = [];
  let next = OUT;
  const cut = split(memory, { offset: FIRST, length: whole.length, header }, {
    place: (length) => {
      const offset = next;
      next += (length + 31) & ~15;
      return offset;
    },
    done: (offset, length) => segments.push(memory.bytes.slice(offset, offset + length)),
  });
  assert.ok(cut, "what was merged can be cut");
  assert.equal(segments.length, before.length);
  const four = header.checksumStart === 20;
  const checksum: [number, number] = [header.checksumStart + header.checksumOffset, 2];
  for (const [index, segment] of segments.entries()) {
    const original = before[index] ?? segment;
    const freeId = four && ((original[6] ?? 0) & 0x40) !== 0;
    const free: [number, number][] = [checksum];
    if (four) free.push([10, 2]);
    if (freeId) free.push([4, 2]);
    assert.deepEqual(without(segment, ...free), without(original, ...free));
  }
}

function clean(choice: number): PacketMemory {
  const memory = MEMORIES[choice & 1];
  if (memory === undefined) throw new Error("Cannot fuzz: there is no memory");
  memory.bytes.fill(0);
  return memory;
}

/** A copy with some bytes zeroed: places and lengths. */
function without(bytes: Uint8Array, ...holes: readonly (readonly [number, number])[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (const [at, length] of holes) copy.fill(0, at, at + length);
  return copy;
}

/** One's complement sum (RFC 1071), byte by byte. */
function sum(bytes: Uint8Array, before = 0): number {
  let total = before;
  for (const [index, byte] of bytes.entries()) total += index % 2 === 0 ? byte << 8 : byte;
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

function cuttable(
  parts: { gsoType: number; size: number; packet: Uint8Array; start?: number },
): Uint8Array {
  const { gsoType, size, packet } = parts;
  const four = packet[0] === 0x45;
  const start = parts.start ?? (four ? 20 : 40);
  const udp = packet[four ? 9 : 6] === 17;
  const header = new Uint8Array(1 + VNET_LENGTH);
  header.set([0, 1, gsoType, 0, 0, size & 255, size >> 8, start, 0, udp ? 6 : 16, 0]);
  const options = new Uint8Array(Math.max(0, start - (four ? 20 : 40)));
  const cut = four ? 20 : 40;
  const body = [...packet.subarray(0, cut), ...options, ...packet.subarray(cut)];
  if (options.length > 0) body[0] = 0x40 | (start / 4);
  return Uint8Array.from([...header, ...body]);
}

function packets(list: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from([
    0,
    ...list.flatMap((packet) => [packet.length >> 8, packet.length & 255, ...packet]),
  ]);
}

function tcp4(length: number, sequence = 0): Uint8Array {
  const packet = ipv4Packet("10.0.0.1", "10.0.0.2", { length, number: sequence });
  packet.set([0x40, 0, 64, 6], 6);
  packet.set([0, 80, 1, 187], 20);
  new DataView(packet.buffer).setUint32(24, sequence);
  packet.set([0, 0, 0, 9, 0x50, 0x10], 28);
  return packet;
}

function udp4(length: number): Uint8Array {
  const packet = ipv4Packet("10.0.0.1", "10.0.0.2", { length });
  packet.set([0x40, 0, 64, 17], 6);
  packet.set([0, 80, 1, 187, (length - 20) >> 8, (length - 20) & 255, 1, 1], 20);
  return packet;
}

function tcp6(length: number, sequence = 0): Uint8Array {
  const packet = new Uint8Array(length);
  packet.set([0x60, 0, 0, 0, (length - 40) >> 8, (length - 40) & 255, 6, 64]);
  packet[23] = 1;
  packet[39] = 2;
  packet.set([0, 80, 1, 187], 40);
  new DataView(packet.buffer).setUint32(44, sequence);
  packet.set([0, 0, 0, 9, 0x50, 0x10], 48);
  return packet;
}

export const offloadTargets: readonly FuzzTarget[] = [cutting, merging];
