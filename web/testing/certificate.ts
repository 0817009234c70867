/** A certificate for this machine that nobody trusts, PEM, made by openssl; for tests over loopback. */
export async function testCertificate(): Promise<{ cert: string; key: string }> {
  const { success, stdout, stderr } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-subj", "/CN=Sekisho test", "-days", "2"],
      ...["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", "-", "-out", "-"],
    ],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/.exec(text)?.[0];
  const cert = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/.exec(text)?.[0];
  if (!success || key === undefined || cert === undefined) {
    throw new Error(`Cannot make a certificate: ${new TextDecoder().decode(stderr)}`);
  }
  return { cert, key };
}
