/** Command APDUs: ISO 7816-4:2020 section 5.2 (cases 1 to 4, short and extended length fields). */
export interface CommandApdu {
  readonly cla: number;
  readonly ins: number;
  readonly p1: number;
  readonly p2: number;
  /** Command data, 0 to 65,535 bytes. */
  readonly data: Uint8Array;
  /** Expected response length 1 to 65,536, or 0 when no response data is expected. */
  readonly ne: number;
  /** Whether the length fields are (to be) written in the extended form. */
  readonly extended: boolean;
}

/** Class byte bit 5: more commands of this chain follow (ISO 7816-4 section 5.3.3). */
export const CLA_CHAINING = 0x10;

/** Largest data field of a short command. */
export const MAX_SHORT_DATA = 255;

/** Builds a command with its usual defaults: class 00, no data, no response expected, short. */
export function command(
  header: { cla?: number; ins: number; p1?: number; p2?: number },
  body: { data?: Uint8Array; ne?: number; extended?: boolean } = {},
): CommandApdu {
  const data = body.data ?? new Uint8Array(0);
  const ne = body.ne ?? 0;
  return {
    cla: header.cla ?? 0,
    ins: header.ins,
    p1: header.p1 ?? 0,
    p2: header.p2 ?? 0,
    data,
    ne,
    extended: body.extended ?? (data.length > MAX_SHORT_DATA || ne > 256),
  };
}

/** Writes a command as its raw bytes. */
export function encodeCommand(apdu: CommandApdu): Uint8Array {
  const { data, ne } = apdu;
  if (data.length > 0xffff || ne > 0x10000) {
    throw new RangeError(`Cannot encode a command APDU: data ${data.length}, Ne ${ne}`);
  }
  const bytes: number[] = [apdu.cla, apdu.ins, apdu.p1, apdu.p2];
  if (apdu.extended) {
    if (data.length > 0 || ne > 0) bytes.push(0);
    if (data.length > 0) bytes.push(data.length >> 8, data.length & 0xff);
  } else {
    if (data.length > MAX_SHORT_DATA || ne > 256) {
      throw new RangeError(`Cannot encode a short command APDU: data ${data.length}, Ne ${ne}`);
    }
    if (data.length > 0) bytes.push(data.length);
  }
  const tail = ne === 0 ? [] : apdu.extended ? [(ne >> 8) & 0xff, ne & 0xff] : [ne & 0xff];
  const out = new Uint8Array(bytes.length + data.length + tail.length);
  out.set(bytes);
  out.set(data, bytes.length);
  out.set(tail, bytes.length + data.length);
  return out;
}

/** Reads raw bytes as a command, or says in one word why they are none. */
export function parseCommand(raw: Uint8Array): CommandApdu | "too short" | "wrong length" {
  if (raw.length < 4) return "too short";
  const [cla = 0, ins = 0, p1 = 0, p2 = 0] = raw;
  const head = { cla, ins, p1, p2 };
  const none = new Uint8Array(0);
  const body = raw.subarray(4);
  const first = body[0];
  if (first === undefined) return { ...head, data: none, ne: 0, extended: false };
  if (body.length === 1) return { ...head, data: none, ne: first || 256, extended: false };
  if (first !== 0) {
    const rest = body.length - 1 - first;
    if (rest !== 0 && rest !== 1) return "wrong length";
    const ne = rest === 1 ? (body[body.length - 1] ?? 0) || 256 : 0;
    return { ...head, data: body.slice(1, 1 + first), ne, extended: false };
  }
  if (body.length < 3) return "wrong length";
  const value = ((body[1] ?? 0) << 8) | (body[2] ?? 0);
  if (body.length === 3) return { ...head, data: none, ne: value || 0x10000, extended: true };
  const rest = body.length - 3 - value;
  if (value === 0 || (rest !== 0 && rest !== 2)) return "wrong length";
  const ne = rest === 2
    ? (((body[body.length - 2] ?? 0) << 8) | (body[body.length - 1] ?? 0)) || 0x10000
    : 0;
  return { ...head, data: body.slice(3, 3 + value), ne, extended: true };
}

/** Splits a command whose data is too long for one short command into a chain of short ones. */
export function chain(apdu: CommandApdu): CommandApdu[] {
  if (apdu.data.length <= MAX_SHORT_DATA) return [{ ...apdu, extended: false }];
  const parts: CommandApdu[] = [];
  for (let at = 0; at < apdu.data.length; at += MAX_SHORT_DATA) {
    const last = at + MAX_SHORT_DATA >= apdu.data.length;
    parts.push({
      ...apdu,
      cla: last ? apdu.cla : apdu.cla | CLA_CHAINING,
      data: apdu.data.slice(at, at + MAX_SHORT_DATA),
      ne: last ? Math.min(apdu.ne, 256) : 0,
      extended: false,
    });
  }
  return parts;
}
