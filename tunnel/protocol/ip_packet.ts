/** The few fields of IP headers that routing by allowed IPs needs (RFC 791, RFC 8200). */
import type { AllowedIps } from "./allowed_ips.ts";

interface Place<Owner extends object> {
  readonly offset: number;
  readonly length: number;
  readonly allowedIps: AllowedIps<Owner>;
}

/** Who owns the destination; undefined if nobody does or it isn't IP. */
export function ipDestination<Owner extends object>(
  bytes: Uint8Array,
  place: Place<Owner>,
): Owner | undefined {
  return ownerOf(bytes, place, { v4: 16, v6: 24 });
}

/** Who owns the source. */
export function ipSource<Owner extends object>(
  bytes: Uint8Array,
  place: Place<Owner>,
): Owner | undefined {
  return ownerOf(bytes, place, { v4: 12, v6: 8 });
}

/** Length that the IP header gives, which padding may follow; 0 if it isn't a whole IP packet. */
export function ipLength(bytes: Uint8Array, offset: number, length: number): number {
  const version = (bytes[offset] ?? 0) >> 4;
  if (version === 4 && length >= 20) {
    const total = ((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0);
    return total >= 20 && total <= length ? total : 0;
  }
  if (version === 6 && length >= 40) {
    const total = 40 + (((bytes[offset + 4] ?? 0) << 8) | (bytes[offset + 5] ?? 0));
    return total <= length ? total : 0;
  }
  return 0;
}

function ownerOf<Owner extends object>(
  bytes: Uint8Array,
  { offset, length, allowedIps }: Place<Owner>,
  field: { readonly v4: number; readonly v6: number },
): Owner | undefined {
  const version = (bytes[offset] ?? 0) >> 4;
  if (version === 4 && length >= 20) {
    return allowedIps.lookup4(wordAt(bytes, offset + field.v4));
  }
  if (version === 6 && length >= 40) {
    const at = offset + field.v6;
    return allowedIps.lookup6(
      wordAt(bytes, at),
      wordAt(bytes, at + 4),
      wordAt(bytes, at + 8),
      wordAt(bytes, at + 12),
    );
  }
  return undefined;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0);
}
