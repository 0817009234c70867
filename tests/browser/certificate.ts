import { boxCertificate } from "../../gateway/tls/box_certificate.ts";

/** A certificate as a box on loopback has it, with the authority that vouches for it; all PEM. */
export async function testCertificate(): Promise<{ cert: string; key: string; authority: string }> {
  const state = await Deno.makeTempDir();
  try {
    const { chain, key, authority } = await boxCertificate({
      name: "test",
      state,
      lan: { interface: "lo", address: "127.0.0.1/8" },
      panel: { host: "127.0.0.1", port: 8443 },
    });
    return { cert: chain, key, authority };
  } finally {
    await Deno.remove(state, { recursive: true });
  }
}
