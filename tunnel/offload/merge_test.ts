import assert from "node:assert/strict";
import fc from "fast-check";
import { fold, sumPseudoHeader, sumWords, writeIpv4Checksum } from "./checksum.ts";
import { Run } from "./merge.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "./packet.ts";
import { type PacketMemory, packetMemory } from "./packet_memory.ts";
import { split } from "./split.ts";
import { emptyVnetHeader, GSO_NONE, readVnetHeader } from "./vnet_header.ts";

const WHOLE = 1 << 19;
const PIECES = 5 << 17;
const BOTH = { tcp: true, udp: true };

/** A packet of a flow; the next one continues it, unless something is changed. */
interface Flow {
  version: 4 | 6;
  protocol: number;
  /** Words of IPv4 options; for IPv6, whether there is a hop-by-hop header. */
  options: number;
  /** The IPv4 word of flags and fragment offset; for IPv6, whether it is a fragment. */
  fragment: number;
  trafficClass: number;
  timeToLive: number;
  id: number;
  idStep: number;
  source: number;
  ports: number;
  sequence: number;
  acknowledgement: number;
  flags: number;
  window: number;
  tcpOptions: number;
  optionByte: number;
  withChecksum: boolean;
  payload: number;
}

const flow: fc.Arbitrary<Flow> = fc.record({
  version: fc.constantFrom(4 as const, 6 as const),
  protocol: fc.constantFrom(PROTOCOL_UDP, PROTOCOL_UDP, PROTOCOL_TCP, PROTOCOL_TCP, 1),
  options: fc.constantFrom(0, 0, 0, 0, 0, 1, 10),
  fragment: fc.constantFrom(0, 0, 0x4000, 0x4000, 0x4000, 0x8000, 0x2000, 0x2001, 0x00b9),
  trafficClass: fc.nat(255),
  timeToLive: fc.nat(255),
  id: fc.oneof(fc.nat(0xffff), fc.constant(0xfffe)),
  idStep: fc.constantFrom(0, 1, 1, 1, 2),
  source: fc.nat(255),
  ports: fc.nat(0xffff),
  sequence: fc.oneof(fc.nat(0xffffffff), fc.constant(0xffffff00)),
  acknowledgement: fc.nat(0xffff),
  flags: fc.constantFrom(0x10, 0x10, 0x10, 0x10, 0x18, 0x11, 0x50, 0x90, 0x02, 0),
  window: fc.nat(0xffff),
  tcpOptions: fc.constantFrom(0, 0, 3, 10),
  optionByte: fc.nat(255),
  withChecksum: fc.constantFrom(true, true, true, true, false),
  payload: fc.constantFrom(0, 1, 2, 3, 64, 700, 1372, 1400),
});

/** Mostly one that can be merged, but for one thing. */
const anyFlow = fc.oneof(
  { weight: 1, arbitrary: flow },
  {
    weight: 3,
    arbitrary: fc.tuple(flow, fc.constantFrom(...Object.keys(plainFlow()) as (keyof Flow)[]))
      .map(([from, key]) => ({ ...plainFlow(), [key]: from[key] })),
  },
);

type Change = Partial<Flow> | undefined;

/** Mostly nothing, or one thing. */
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 12, arbitrary: fc.constant(undefined) },
  { weight: 2, arbitrary: fc.record({ flags: fc.constantFrom(0x18, 0x10) }) },
  { weight: 2, arbitrary: fc.record({ payload: fc.constantFrom(0, 1, 63, 699, 1400) }) },
  {
    weight: 3,
    arbitrary: fc.tuple(flow, fc.constantFrom(...Object.keys(plainFlow()) as (keyof Flow)[]))
      .map(([from, key]) => ({ [key]: from[key] })),
  },
);

Deno.test("what was merged is cut into the same packets again, whatever they are", () => {
  let [packets, written] = [0, 0];
  fc.assert(
    fc.property(anyFlow, fc.array(change, { minLength: 20, maxLength: 60 }), (first, changes) => {
      const memory = newMemory();
      const places = writeFlow(memory, first, changes);
      const before = places.map(({ offset, length }) => bytesAt(memory, offset, length));
      const after: Uint8Array[] = [];
      eachRun(memory, places, ({ run, from, to }) => {
        const vnet = new Uint8Array(10);
        run.finish(vnet);
        after.push(...cutAsKernel(memory, places.slice(from, to), { run, vnet }));
        written++;
      });
      assert.equal(after.length, before.length);
      for (const [index, packet] of after.entries()) {
        assert.deepEqual(packet, withId(packet, before[index] ?? new Uint8Array()));
      }
      packets += before.length;
    }),
    { numRuns: 400 },
  );
  assert.ok(written < packets * 0.7, `${packets} packets took ${written} writes`);
});

Deno.test("what was merged and refused is as it was", () => {
  fc.assert(
    fc.property(anyFlow, fc.array(change, { minLength: 1, maxLength: 20 }), (first, changes) => {
      const memory = newMemory();
      const places = writeFlow(memory, first, changes);
      const before = memory.bytes.slice();
      eachRun(memory, places, ({ run }) => {
        run.finish(new Uint8Array(10));
        run.undo();
      });
      assert.deepEqual(memory.bytes, before);
    }),
    { numRuns: 100 },
  );
});

Deno.test("datagrams of one flow and size are merged, with a shorter one as the last", () => {
  for (const version of [4, 6] as const) {
    for (const withDf of [true, false]) {
      const memory = newMemory();
      const base = { ...plainFlow(), version, fragment: withDf ? 0x4000 : 0 };
      const places = writeFlow(memory, base, [undefined, undefined, { payload: 7 }, undefined]);
      const counts: number[] = [];
      eachRun(memory, places, ({ run }) => counts.push(run.count));
      assert.deepEqual(counts, [4, 1]);
    }
  }
});

Deno.test("datagrams that differ in anything but length, checksum and a free id are not merged", () => {
  const changes: Record<string, Partial<Flow>> = {
    "type of service": { trafficClass: 0x2e << 2 },
    "congestion mark": { trafficClass: 3 },
    "time to live": { timeToLive: 1 },
    "larger than the first": { payload: 101 },
    empty: { payload: 0 },
    source: { source: 77 },
    port: { ports: 77 },
    "no checksum": { withChecksum: false },
    protocol: { protocol: PROTOCOL_TCP },
    version: { version: 6 },
    "IP options": { options: 1 },
    "more fragments": { fragment: 0x2000 },
    "fragment offset": { fragment: 1 },
    "may be fragmented": { fragment: 0 },
    "reserved flag": { fragment: 0xc000 },
  };
  for (const [name, change] of Object.entries(changes)) {
    assert.equal(firstCount(plainFlow(), change), 1, name);
    assert.equal(firstCount({ ...plainFlow(), ...change }, undefined), beginsOf(name), name);
  }
  const mayFragment = { ...plainFlow(), fragment: 0 };
  assert.equal(firstCount(mayFragment, { idStep: 1 }), 2);
  assert.equal(firstCount({ ...mayFragment, idStep: 0 }, undefined), 1, "same id");
  assert.equal(firstCount({ ...mayFragment, idStep: 2 }, undefined), 1, "id passed over");
});

Deno.test("nothing is merged that the kernel wouldn't cut again", () => {
  for (const protocol of [PROTOCOL_TCP, PROTOCOL_UDP]) {
    for (const choices of [{ tcp: false, udp: true }, { tcp: true, udp: false }]) {
      const memory = newMemory();
      const places = writeFlow(memory, { ...plainFlow(), protocol }, [undefined]);
      const counts: number[] = [];
      eachRun(memory, places, ({ run }) => counts.push(run.count), choices);
      const wanted = protocol === PROTOCOL_TCP ? choices.tcp : choices.udp;
      assert.deepEqual(counts, wanted ? [2] : [1, 1]);
    }
  }
});

/** How many two equal packets with this property make one: where a pair is fine, only change ends it. */
function beginsOf(name: string): number {
  const never = ["empty", "no checksum", "IP options", "more fragments", "fragment offset"];
  return never.includes(name) ? 1 : 2;
}

function firstCount(first: Flow, change: Change): number {
  const memory = newMemory();
  const counts: number[] = [];
  eachRun(memory, writeFlow(memory, first, [change]), ({ run }) => counts.push(run.count));
  return counts[0] ?? 0;
}

function plainFlow(): Flow {
  return {
    version: 4,
    protocol: PROTOCOL_UDP,
    options: 0,
    fragment: 0x4000,
    trafficClass: 0,
    timeToLive: 64,
    id: 7,
    idStep: 1,
    source: 1,
    ports: 53,
    sequence: 1000,
    acknowledgement: 0,
    flags: 0x10,
    window: 500,
    tcpOptions: 3,
    optionByte: 1,
    withChecksum: true,
    payload: 100,
  };
}

function newMemory(): PacketMemory {
  return packetMemory(6 << 17);
}

interface Place {
  readonly offset: number;
  readonly length: number;
}

function bytesAt({ bytes }: PacketMemory, offset: number, length: number): Uint8Array {
  return bytes.slice(offset, offset + length);
}

/** The flow's packets, each at a multiple of 16. */
function writeFlow(memory: PacketMemory, first: Flow, changes: readonly Change[]): Place[] {
  let offset = 16;
  let current = { ...first };
  let length = writePacket(memory, offset, current);
  const places: Place[] = [{ offset, length }];
  for (const change of changes) {
    current = {
      ...current,
      id: (current.id + (change?.idStep ?? current.idStep)) & 0xffff,
      sequence: (current.sequence + current.payload) >>> 0,
      ...change,
    };
    offset += (length + 31) & ~15;
    length = writePacket(memory, offset, current);
    places.push({ offset, length });
  }
  return places;
}

/** Writes a packet whose checksums are right; its length. */
function writePacket(memory: PacketMemory, offset: number, flow: Flow): number {
  const { version, protocol } = flow;
  const start = version === 4 ? 20 + 4 * flow.options : 40 + (flow.options > 0 ? 8 : 0);
  const transport = protocol === PROTOCOL_TCP ? 20 + 4 * flow.tcpOptions : 8;
  const length = start + transport + flow.payload;
  memory.bytes.fill(0, offset, offset + length);
  const view = new DataView(memory.bytes.buffer, offset, length);
  if (version === 4) {
    view.setUint8(0, 0x40 | (start / 4));
    view.setUint8(1, flow.trafficClass);
    view.setUint16(2, length);
    view.setUint16(4, flow.id);
    view.setUint16(6, flow.fragment);
    view.setUint8(8, flow.timeToLive);
    view.setUint8(9, protocol);
    view.setUint32(12, 0x0a070000 | flow.source);
    view.setUint32(16, 0x0a070102);
    writeIpv4Checksum(memory, offset);
  } else {
    view.setUint32(0, 0x60000000 | (flow.trafficClass << 20) | 0xabcde);
    view.setUint16(4, length - 40);
    view.setUint8(6, flow.options > 0 ? 0 : protocol);
    view.setUint8(7, flow.timeToLive);
    view.setUint32(8, 0xfd070000);
    view.setUint8(23, flow.source);
    view.setUint32(24, 0xfd070000);
    view.setUint8(39, 2);
    if (flow.options > 0) view.setUint8(40, protocol);
  }
  view.setUint16(start, 40_000);
  view.setUint16(start + 2, flow.ports);
  for (let index = start + transport; index < length; index++) view.setUint8(index, index * 7);
  if (protocol === PROTOCOL_TCP) {
    view.setUint32(start + 4, flow.sequence);
    view.setUint32(start + 8, flow.acknowledgement);
    view.setUint8(start + 12, transport << 2);
    view.setUint8(start + 13, flow.flags);
    view.setUint16(start + 14, flow.window);
    for (let index = start + 20; index < start + transport; index++) {
      view.setUint8(index, flow.optionByte);
    }
  } else {
    view.setUint16(start + 4, length - start);
  }
  if (protocol === PROTOCOL_UDP && !flow.withChecksum) return length;
  const sum = sumWords(memory.words, offset + start, length - start) +
    sumPseudoHeader(memory.words, { offset, version, protocol, length: length - start });
  const checksum = ~fold(sum) & 0xffff;
  if (protocol === PROTOCOL_TCP) view.setUint16(start + 16, checksum);
  else if (protocol === PROTOCOL_UDP) view.setUint16(start + 6, checksum || 0xffff);
  return length;
}

/** Runs of the packets, as they would be written. */
function eachRun(
  memory: PacketMemory,
  places: readonly Place[],
  visit: (part: { run: Run; from: number; to: number }) => void,
  choices = BOTH,
): void {
  const run = new Run(memory, { ...choices });
  for (let from = 0; from < places.length;) {
    const first = places[from];
    assert.ok(first);
    run.begin(first.offset, first.length);
    let to = from + 1;
    for (; to < places.length; to++) {
      const place = places[to];
      assert.ok(place);
      if (!run.take(place.offset, place.length)) break;
    }
    assert.equal(run.count, to - from);
    visit({ run, from, to });
    from = to;
  }
}

/** The packets that come out of what is written: header, and payloads of all. */
function cutAsKernel(
  memory: PacketMemory,
  places: readonly Place[],
  { run, vnet }: { run: Run; vnet: Uint8Array },
): Uint8Array[] {
  let length = 0;
  for (const place of places) {
    const skipped = length === 0 ? 0 : run.headerLength;
    memory.bytes.set(
      bytesAt(memory, place.offset + skipped, place.length - skipped),
      WHOLE + length,
    );
    length += place.length - skipped;
  }
  const header = emptyVnetHeader();
  readVnetHeader(vnet, header);
  if (header.gsoType === GSO_NONE) return [bytesAt(memory, WHOLE, length)];
  const cut: Uint8Array[] = [];
  const done = split(memory, { offset: WHOLE, length, header }, {
    place: () => PIECES,
    done: (offset, length) => cut.push(bytesAt(memory, offset, length)),
  });
  assert.ok(done);
  return cut;
}

/** The packet that came; where its id means nothing, with the id that it has now. */
function withId(now: Uint8Array, before: Uint8Array): Uint8Array {
  if ((before[0] ?? 0) >> 4 !== 4 || ((before[6] ?? 0) & 0x40) === 0) return before;
  const expected = new Uint8Array((before.length + 3) & ~3);
  expected.set(before);
  expected.set(now.subarray(4, 6), 4);
  writeIpv4Checksum({ bytes: expected, words: new Uint32Array(expected.buffer) }, 0);
  return expected.subarray(0, before.length);
}
