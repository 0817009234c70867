/**
 * A tunnel started through its API, run inside a machine, told what to do by lines on standard
 * input and answering each by a line of JSON: the words are `status`, `notices`, `events`, `carrier`,
 * `keys`, `rekey`, `close`, and `close-late`, which waits until a card must have answered the closed
 * tunnel; `erase` takes away what isn't in this process, and ends it.
 *
 * Arguments: private key, peer's public key, endpoint (or "-"), `local` or `card`, milliseconds
 * that the card takes, `plain` for no offloads, `kernel` for the kernel's WireGuard where it is.
 */
import { x25519 } from "@noble/curves/ed25519.js";
import { SecretMemory } from "../../os/secret_memory.ts";
import { type Identity, parsePublicKey, publicKeyFromBytes } from "../../tunnel/api.ts";
import { prepareTunnel, startTunnel } from "../../tunnel/tunnel.ts";

const [privateKey = "", peer = "", endpoint = "-", kind = "local", delay = "0", offloads, kernel] =
  Deno.args;
const secret = SecretMemory.allocate(32);
secret.bytes.set(Uint8Array.fromBase64(privateKey));
const keyMemory = SecretMemory.allocate(4096);
let asked = 0;
let atOnce = 0;
let mostAtOnce = 0;
const notices: string[] = [];
const events: string[] = [];

const identity: Identity = kind === "local"
  ? { kind: "local", privateKey: { address: secret.address, length: 32 } }
  : {
    kind: "remote",
    publicKey: publicKeyFromBytes(x25519.getPublicKey(secret.bytes)),
    async dh(peerPublicKey, into) {
      asked++;
      mostAtOnce = Math.max(mostAtOnce, ++atOnce);
      await new Promise((resolve) => setTimeout(resolve, Number(delay)));
      atOnce--;
      into.set(x25519.getSharedSecret(secret.bytes, peerPublicKey));
    },
  };

const tunnel = await startTunnel({
  ifname: "wg0",
  identity,
  listenPort: 51820,
  offloads: offloads !== "plain",
  kernel: kernel === "kernel" ? "auto" : "never",
  keyMemory: { address: keyMemory.address, length: keyMemory.bytes.length },
  prepared: prepareTunnel(),
  onEvent: (event) => {
    if (event.kind === "notice") notices.push(event.message);
    else events.push(event.kind);
  },
  peers: [{
    publicKey: parsePublicKey(peer),
    allowedIps: ["10.7.0.0/24"],
    ...(endpoint === "-" ? {} : { endpoint }),
  }],
});

const answers: Readonly<Record<string, () => unknown>> = {
  status: () => tunnel.get(),
  notices: () => notices,
  events: () => events,
  carrier: () => tunnel.carrier,
  erase: () => tunnel.eraseNow(),
  keys: () => ({ used: keyMemory.bytes.some((byte) => byte !== 0), asked, mostAtOnce }),
  rekey: () => tunnel.rekey(),
  close,
  "close-late": closeLate,
};

async function closeLate() {
  const closed = await close();
  await new Promise((resolve) => setTimeout(resolve, 2 * Number(delay)));
  return closed;
}

async function close() {
  await tunnel.close();
  return {
    reason: await tunnel.closed,
    wiped: keyMemory.bytes.every((byte) => byte === 0),
  };
}

console.log(JSON.stringify({ ready: true }));
for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  for (const word of text.trim().split("\n")) {
    console.log(JSON.stringify(await answers[word]?.() ?? null));
    if (word.startsWith("close") || word === "erase") Deno.exit(0);
  }
}
