/**
 * In a guest: a tunnel that the kernel carries, up, then taken away at once, while this process lives
 * on. Its private and preshared key come as bytes that are XORed with MASK, so that they are as
 * themselves nowhere but where a tunnel has them. Between the two, the machine's memory is searched.
 */
import { SecretMemory } from "../../../os/secret_memory.ts";
import { parsePublicKey } from "../../../tunnel/api.ts";
import { startTunnel } from "../../../tunnel/tunnel.ts";
import { guestPhase } from "./phase.ts";

export const MASK = 0x5a;
/** The base point: any public key will do. */
const PEER = parsePublicKey("CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
/** The kernel is asked each 50 ms what happened: its answers hold the keys. */
const A_FEW_ANSWERS = 2_000;

if (import.meta.main) {
  const masked = Uint8Array.fromBase64(Deno.args[0] ?? "");
  const keys = SecretMemory.allocate(masked.length);
  for (const [at, byte] of masked.entries()) keys.bytes[at] = byte ^ MASK;
  const tunnel = await startTunnel({
    ifname: "wg0",
    kernel: "auto",
    identity: { kind: "local", privateKey: { address: keys.address, length: 32 } },
    peers: [{
      publicKey: PEER,
      presharedKey: { address: keys.address + 32n, length: 32 },
      endpoint: "127.0.0.1:9",
      allowedIps: ["10.9.0.0/24"],
    }],
  });
  if (tunnel.carrier !== "kernel") throw new Error(`Cannot try the kernel: ${tunnel.carrier}`);
  await new Promise((resolve) => setTimeout(resolve, A_FEW_ANSWERS));
  await guestPhase("up");
  keys.free();
  tunnel.eraseNow();
  await guestPhase("erased");
}
