/**
 * Whose packet it is: the few fields of IP headers that routing by allowed IPs needs (RFC 791,
 * RFC 8200), read in place.
 */
import type { AllowedIps } from "./allowed_ips.ts";

const SOURCE = { v4: 12, v6: 8 } as const;
const DESTINATION = { v4: 16, v6: 24 } as const;

export class PacketOwners<Owner extends object> {
  readonly #bytes: Uint8Array;
  readonly #allowedIps: AllowedIps<Owner>;

  constructor(bytes: Uint8Array, allowedIps: AllowedIps<Owner>) {
    this.#bytes = bytes;
    this.#allowedIps = allowedIps;
  }

  /** Who owns the destination of the packet at `offset`; undefined if nobody does or it isn't IP. */
  ofDestination(offset: number, length: number): Owner | undefined {
    return this.#ownerOf(offset, length, DESTINATION);
  }

  ofSource(offset: number, length: number): Owner | undefined {
    return this.#ownerOf(offset, length, SOURCE);
  }

  /** Length that the IP header gives, which padding may follow; 0 if it isn't a whole IP packet. */
  packetLength(offset: number, length: number): number {
    const bytes = this.#bytes;
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

  #ownerOf(
    offset: number,
    length: number,
    field: { readonly v4: number; readonly v6: number },
  ): Owner | undefined {
    const version = (this.#bytes[offset] ?? 0) >> 4;
    if (version === 4 && length >= 20) {
      return this.#allowedIps.lookup4(this.#wordAt(offset + field.v4));
    }
    if (version === 6 && length >= 40) {
      const at = offset + field.v6;
      return this.#allowedIps.lookup6(
        this.#wordAt(at),
        this.#wordAt(at + 4),
        this.#wordAt(at + 8),
        this.#wordAt(at + 12),
      );
    }
    return undefined;
  }

  #wordAt(at: number): number {
    const bytes = this.#bytes;
    return ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0);
  }
}
