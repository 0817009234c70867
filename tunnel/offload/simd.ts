/**
 * Copying and summing packets with 128-bit vectors, as a WebAssembly module that is assembled here:
 * each line of `body` is one instruction of its text format, or a few. Three functions come out,
 * which work on the memory that is given to them (numbers are bytes):
 *
 *     sum(from, length) -> i32           copy(to, from, length)
 *     copySum(to, from, length) -> i32
 *
 * A sum is that of the bytes' 16-bit numbers, little-endian, the last one filled with zero; it isn't
 * folded. 65,535 bytes can't overflow it.
 */

export interface SimdFunctions {
  sum(from: number, length: number): number;
  copySum(to: number, from: number, length: number): number;
  copy(to: number, from: number, length: number): void;
}

/** Undefined where there is no WebAssembly with vectors. The memory must never grow. */
export function simdFunctions(memory: WebAssembly.Memory): SimdFunctions | undefined {
  try {
    const module = new WebAssembly.Module(assemble());
    const { exports } = new WebAssembly.Instance(module, { m: { m: memory } });
    return exports as unknown as SimdFunctions;
  } catch {
    return undefined;
  }
}

type Code = readonly number[];

const I32 = 0x7f;
const V128 = 0x7b;
const EMPTY = 0x40;
const END: Code = [0x0b];

interface Shape {
  readonly name: string;
  readonly copies: boolean;
  readonly sums: boolean;
}

const SHAPES: readonly Shape[] = [
  { name: "sum", copies: false, sums: true },
  { name: "copySum", copies: true, sums: true },
  { name: "copy", copies: true, sums: false },
];

/** The binary format: https://webassembly.github.io/spec/core/binary/modules.html */
function assemble(): Uint8Array<ArrayBuffer> {
  const types = SHAPES.map(({ copies, sums }) => [
    0x60,
    ...vector(new Array<Code>(copies ? 3 : 2).fill([I32])),
    ...vector(sums ? [[I32]] : []),
  ]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    // (import "m" "m" (memory 0))
    ...section(2, vector([[...name("m"), ...name("m"), 0x02, 0x00, 0x00]])),
    ...section(3, vector(SHAPES.map((_, index) => [index]))),
    ...section(7, vector(SHAPES.map((shape, index) => [...name(shape.name), 0x00, index]))),
    ...section(10, vector(SHAPES.map((shape) => sized(body(shape))))),
  ]);
}

function body({ copies, sums }: Shape): Code {
  const [to, from, length] = copies ? [0, 1, 2] : [-1, 0, 1];
  const [rest, lanes, piece] = [length + 1, length + 2, length + 3];

  const advance = (bytes: number): Code => [
    ...[...get(from), ...constant(bytes), ...i32Add, ...set(from)],
    ...(copies ? [...get(to), ...constant(bytes), ...i32Add, ...set(to)] : []),
    ...[...get(length), ...constant(bytes), ...i32Subtract, ...set(length)],
  ];
  /** Takes a vector with `load`, and puts it with `store`. */
  const moveVector = (load: Code, store: Code): Code => [
    ...[...get(from), ...load, ...set(piece)],
    ...(sums ? [...get(piece), ...addPairs, ...get(lanes), ...lanesAdd, ...set(lanes)] : []),
    ...(copies ? [...get(to), ...get(piece), ...store] : []),
  ];
  const moveNumber = (load: Code, store: Code): Code => [
    ...(sums ? [...get(from), ...load, ...get(rest), ...i32Add, ...set(rest)] : []),
    ...(copies ? [...get(to), ...get(from), ...load, ...store] : []),
  ];
  const whileAtLeast = (bytes: number, code: Code): Code => [
    ...[...block, ...loop],
    ...[...get(length), ...constant(bytes), ...i32Less, ...branchIf(1)],
    ...[...code, ...advance(bytes), ...branch(0)],
    ...[...END, ...END],
  ];
  const ifHas = (bytes: number, code: Code): Code => [
    ...[...get(length), ...constant(bytes), ...i32And, ...when],
    ...[...code, ...advance(bytes), ...END],
  ];
  const vectorAt = (at: number): Code => moveVector(vectorLoad(at), vectorStore(at));
  const lane = (index: number): Code => [...get(lanes), ...laneOf(index), ...i32Add];
  return [
    ...vector([[1, I32], [2, V128]]),
    ...whileAtLeast(64, [0, 16, 32, 48].flatMap((at) => vectorAt(at))),
    ...whileAtLeast(16, vectorAt(0)),
    ...ifHas(8, moveVector(vectorLoad64, vectorStore64)),
    ...ifHas(4, moveVector(vectorLoad32, vectorStore32)),
    ...ifHas(2, moveNumber(load16, store16)),
    ...ifHas(1, moveNumber(load8, store8)),
    ...(sums ? [...get(rest), ...[0, 1, 2, 3].flatMap(lane)] : []),
    ...END,
  ];
}

// Instructions. Those on memory end with alignment and offset.

const block: Code = [0x02, EMPTY];
const loop: Code = [0x03, EMPTY];
const when: Code = [0x04, EMPTY];
const branch = (depth: number): Code => [0x0c, depth];
const branchIf = (depth: number): Code => [0x0d, depth];
const get = (local: number): Code => [0x20, local];
const set = (local: number): Code => [0x21, local];
/** i32.const, signed LEB128: up to 64 it takes two bytes at most. */
const constant = (value: number): Code =>
  value < 64 ? [0x41, value] : [0x41, (value & 0x7f) | 0x80, value >> 7];
const i32Less: Code = [0x49]; // i32.lt_u
const i32Add: Code = [0x6a];
const i32Subtract: Code = [0x6b];
const i32And: Code = [0x71];
const load8: Code = [0x2d, 0, 0]; // i32.load8_u
const load16: Code = [0x2f, 0, 0]; // i32.load16_u
const store8: Code = [0x3a, 0, 0];
const store16: Code = [0x3b, 0, 0];
const simd = (code: number, ...more: number[]): Code => [0xfd, ...unsigned(code), ...more];
const vectorLoad = (at: number): Code => simd(0, 0, at);
const vectorStore = (at: number): Code => simd(11, 0, at);
const vectorLoad32: Code = simd(92, 0, 0); // v128.load32_zero
const vectorLoad64: Code = simd(93, 0, 0);
const vectorStore32: Code = simd(90, 0, 0, 0); // v128.store32_lane 0
const vectorStore64: Code = simd(91, 0, 0, 0);
const laneOf = (index: number): Code => simd(27, index); // i32x4.extract_lane
const addPairs: Code = simd(127); // i32x4.extadd_pairwise_i16x8_u
const lanesAdd: Code = simd(174); // i32x4.add

// The binary format's own shapes.

function section(id: number, content: Code): Code {
  return [id, ...sized(content)];
}

function vector(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function sized(content: Code): Code {
  return [...unsigned(content.length), ...content];
}

function name(text: string): Code {
  return sized([...new TextEncoder().encode(text)]);
}

/** Unsigned LEB128. */
function unsigned(value: number): Code {
  return value < 128 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}
