/** A certificate's data object, compressed or not. @core */
import { gunzipSync } from "node:zlib";
import { parseTlvs, readTlv } from "../../apdu/tlv.ts";
import { TLV_TAG } from "../constants.ts";

/** Why an object gives no certificate. */
export type CertificateFault =
  /** Its fields or its compression are cut or wrong. */
  | "malformed"
  /** It unpacks to more than any certificate has: refused after {@linkcode LARGEST_CERTIFICATE}. */
  | "too-long"
  /** What it holds is no DER sequence of its own length. */
  | "not-a-certificate";

/** A certificate as X.509 in DER, or why there is none. */
export type CertificateRead =
  | { readonly result: "ok"; readonly der: Uint8Array<ArrayBuffer>; readonly compressed: boolean }
  | { readonly result: "fault"; readonly fault: CertificateFault };

/** Our own choice: three times what a card can hold, so that no card makes a program grow. */
export const LARGEST_CERTIFICATE = 9_000;

/** SP 800-73-4 part 1, table 38: the two low bits of CertInfo; 1 is gzip, others don't exist. */
const COMPRESSION = { mask: 0x03, none: 0, gzip: 1 } as const;

/** DER's SEQUENCE. */
const SEQUENCE = 0x30;

/** Reads the object's content: SP 800-73-4 part 1, table 10 and appendix A. */
export function parseCertificate(content: Uint8Array): CertificateRead {
  const members = parseTlvs(content);
  const packed = members?.find(({ tag }) => tag === TLV_TAG.certificate)?.value;
  const info = members?.find(({ tag }) => tag === TLV_TAG.certificateInfo)?.value;
  if (packed === undefined || packed.length === 0) return fault("malformed");
  const compression = (info?.[0] ?? 0) & COMPRESSION.mask;
  if (compression === COMPRESSION.none) return certificate(packed, false);
  if (compression !== COMPRESSION.gzip) return fault("malformed");
  const unpacked = gunzip(packed);
  return typeof unpacked === "string" ? fault(unpacked) : certificate(unpacked, true);
}

function certificate(bytes: Uint8Array, compressed: boolean): CertificateRead {
  if (bytes.length > LARGEST_CERTIFICATE) return fault("too-long");
  const outer = readTlv(bytes, 0);
  if (outer?.tag !== SEQUENCE || outer.end !== bytes.length) return fault("not-a-certificate");
  return { result: "ok", der: Uint8Array.from(bytes), compressed };
}

/** Never holds more than the bound, whatever a small object promises to become. */
function gunzip(packed: Uint8Array): Uint8Array | CertificateFault {
  try {
    return gunzipSync(packed, { maxOutputLength: LARGEST_CERTIFICATE });
  } catch (error) {
    return error instanceof RangeError ? "too-long" : "malformed";
  }
}

function fault(why: CertificateFault): CertificateRead {
  return { result: "fault", fault: why };
}
