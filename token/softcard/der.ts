/** Values in, DER out. @core */
import { Buffer } from "node:buffer";
import { concat, encodeTlv } from "../apdu/tlv.ts";

/** DER (ITU-T X.690 section 10), as much of it as certificates need; lengths up to 65,535. */
export const der = {
  sequence: (...members: Uint8Array[]): Uint8Array => encodeTlv(0x30, concat(...members)),
  set: (...members: Uint8Array[]): Uint8Array => encodeTlv(0x31, concat(...members)),
  /** A non-negative integer, the highest byte first. */
  integer(bytes: Uint8Array): Uint8Array {
    const first = bytes.findIndex((byte) => byte !== 0);
    const digits = first === -1 ? Uint8Array.of(0) : bytes.subarray(first);
    return encodeTlv(0x02, (digits[0] ?? 0) >= 0x80 ? concat(Uint8Array.of(0), digits) : digits);
  },
  bitString: (bytes: Uint8Array): Uint8Array => encodeTlv(0x03, concat(Uint8Array.of(0), bytes)),
  octetString: (bytes: Uint8Array): Uint8Array => encodeTlv(0x04, bytes),
  nothing: (): Uint8Array => encodeTlv(0x05, new Uint8Array(0)),
  utf8: (text: string): Uint8Array => encodeTlv(0x0c, new TextEncoder().encode(text)),
  /** "YYYYMMDDHHMMSSZ", in the form that RFC 5280 section 4.1.2.5 wants for its year. */
  time(text: string): Uint8Array {
    const isShort = text < "2050";
    const written = isShort ? text.slice(2) : text;
    return encodeTlv(isShort ? 0x17 : 0x18, new TextEncoder().encode(written));
  },
  /** A context-specific, constructed tag. */
  tagged: (tag: number, content: Uint8Array): Uint8Array => encodeTlv(0xa0 | tag, content),
  /** An object identifier in dotted form. */
  oid(dotted: string): Uint8Array {
    const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
    const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
      const groups = [arc & 0x7f];
      for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
      return groups;
    });
    return encodeTlv(0x06, Uint8Array.from(bytes));
  },
  /** A name of one part: the common name. */
  name: (commonName: string): Uint8Array =>
    der.sequence(der.set(der.sequence(der.oid("2.5.4.3"), der.utf8(commonName)))),
};

/** A certificate's text without its signature: RFC 5280 section 4.1.2, version 3. */
export function certificateText(parts: {
  serial: Uint8Array;
  algorithm: Uint8Array;
  issuer: Uint8Array;
  validity: Uint8Array;
  subject: Uint8Array;
  publicKey: Uint8Array;
  extensions: readonly { id: string; value: Uint8Array; critical?: boolean }[];
}): Uint8Array {
  const extensions = parts.extensions.map(({ id, value, critical }) =>
    der.sequence(
      der.oid(id),
      ...(critical ? [Buffer.from("0101ff", "hex")] : []),
      der.octetString(value),
    )
  );
  return der.sequence(
    der.tagged(0, der.integer(Uint8Array.of(2))),
    der.integer(parts.serial),
    parts.algorithm,
    parts.issuer,
    parts.validity,
    parts.subject,
    parts.publicKey,
    ...(extensions.length === 0 ? [] : [der.tagged(3, der.sequence(...extensions))]),
  );
}
