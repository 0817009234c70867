/**
 * Where a peer is, and by which of our addresses it is spoken to. Mutable and flat, so that the
 * data path compares and copies it without allocating.
 *
 * Words: 0 family and port, 1-4 address in network order, 5 scope; then what only the shell uses:
 * 6-9 our address, 10 our interface's index, 11 the generation in which these were learnt
 * (0: none learnt).
 */
export class Endpoint {
  readonly words: Uint32Array = new Uint32Array(12);

  get family(): 0 | 4 | 6 {
    return ((this.words[0] ?? 0) >>> 16) as 0 | 4 | 6;
  }

  get port(): number {
    return (this.words[0] ?? 0) & 0xffff;
  }

  /** Same remote address and port. */
  reaches(other: Endpoint): boolean {
    for (let index = 0; index < 6; index++) {
      if (this.words[index] !== other.words[index]) return false;
    }
    return true;
  }

  /** Same remote and same local side. */
  equals(other: Endpoint): boolean {
    for (let index = 0; index < 12; index++) {
      if (this.words[index] !== other.words[index]) return false;
    }
    return true;
  }

  copyFrom(other: Endpoint): void {
    this.words.set(other.words);
  }

  clone(): Endpoint {
    const copy = new Endpoint();
    copy.copyFrom(this);
    return copy;
  }

  /** Lets the system choose our address again. */
  clearSource(): void {
    this.words.fill(0, 6);
  }

  /**
   * Address and port as bytes, what a cookie is bound to (whitepaper 5.4.7): 6 for IPv4, 18 for
   * IPv6.
   */
  writeSource(out: Uint8Array): void {
    const port = out.length - 2;
    for (let at = 0; at < port; at++) {
      out[at] = (this.words[1 + (at >> 2)] ?? 0) >>> (24 - 8 * (at & 3));
    }
    out[port] = this.port >>> 8;
    out[port + 1] = this.port;
  }
}

/** An endpoint of address words (one for IPv4, four for IPv6) and a port. */
export function endpointOf(
  address: { family: 4 | 6; words: ArrayLike<number>; scope?: number },
  port: number,
): Endpoint {
  const endpoint = new Endpoint();
  endpoint.words[0] = (address.family << 16) | port;
  for (let index = 0; index < address.words.length; index++) {
    endpoint.words[index + 1] = address.words[index] ?? 0;
  }
  endpoint.words[5] = address.scope ?? 0;
  return endpoint;
}
