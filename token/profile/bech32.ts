/** Bech32 (BIP 173) of bytes, as age writes keys: in one case, and without BIP 173's limit of length. */

const CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECKSUM = 6;
const SEPARATOR = 0x31;

/** `bytes` in small letters behind `prefix`, which is in small letters too. */
export function encodeBech32(prefix: string, bytes: Uint8Array): string {
  const values: number[] = [];
  let [bits, held] = [0, 0];
  for (const byte of bytes) {
    bits = (bits << 8 | byte) & 0xfff;
    for (held += 8; held >= 5; held -= 5) values.push(bits >> (held - 5) & 31);
  }
  if (held > 0) values.push(bits << (5 - held) & 31);
  const sum = polymod(expand(prefix), values, new Array<number>(CHECKSUM).fill(0)) ^ 1;
  for (let at = 0; at < CHECKSUM; at++) values.push(sum >>> 5 * (CHECKSUM - 1 - at) & 31);
  return `${prefix}1${values.map((value) => CHARSET[value]).join("")}`;
}

/**
 * Reads `length` bytes from a line in capitals, with `prefix` in capitals. The line is bytes, and
 * nothing of it becomes a string: it may be a secret. Undefined if it is anything else.
 */
export function decodeBech32(
  line: Uint8Array,
  { prefix, length }: { prefix: string; length: number },
): Uint8Array | undefined {
  const data = line.subarray(prefix.length + 1);
  const begins = Array.from(prefix).every((letter, at) => line[at] === letter.charCodeAt(0));
  if (!begins || line[prefix.length] !== SEPARATOR) return undefined;
  if (data.length !== Math.ceil(length * 8 / 5) + CHECKSUM) return undefined;
  const values = Array.from(data, (byte) => CAPITALS.indexOf(byte));
  const isWhole = !values.includes(-1) && polymod(expand(prefix), values) === 1;
  const bytes = isWhole ? join(values.slice(0, -CHECKSUM), length) : undefined;
  values.fill(0);
  return bytes;
}

const CAPITALS = new TextEncoder().encode(CHARSET.toUpperCase());

/** Five bits each become eight bits each. */
function join(values: number[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let [bits, held, at] = [0, 0, 0];
  for (const value of values) {
    bits = (bits << 5 | value) & 0xfff;
    held += 5;
    if (held < 8) continue;
    held -= 8;
    bytes[at++] = bits >> held & 0xff;
  }
  values.fill(0);
  return bytes;
}

function expand(prefix: string): number[] {
  const codes = Array.from(prefix.toLowerCase(), (letter) => letter.charCodeAt(0));
  return [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
}

/** Over all parts, one after another: a secret among them is not copied. */
function polymod(...parts: (readonly number[])[]): number {
  let sum = 1;
  for (const part of parts) {
    for (const value of part) {
      const top = sum >>> 25;
      sum = (sum & 0x1ffffff) << 5 ^ value;
      GENERATOR.forEach((generator, bit) => {
        if ((top >> bit & 1) === 1) sum ^= generator;
      });
    }
  }
  return sum >>> 0;
}
