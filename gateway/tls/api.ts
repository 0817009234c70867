/** The box's own certificate authority and its web certificate, PEM. */
export interface BoxCertificate {
  /** The authority's certificate, for the owner to install on terminals. */
  readonly authority: string;
  /** Server certificate followed by the authority's. */
  readonly chain: string;
  /** The server's private key, PKCS #8; a box secret. */
  readonly key: string;
  /** Unix milliseconds: end of the server certificate. */
  readonly expires: number;
}
