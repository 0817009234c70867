/** Sends what no WireGuard peer sends to a UDP port: `udp_garbage_program.ts ADDRESS PORT`. */
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";

const [address = "", port = ""] = Deno.args;
/** Lengths of the four messages (initiation, response, cookie, keepalive), and others around them. */
const LENGTHS = [1, 3, 4, 15, 16, 31, 32, 33, 63, 64, 65, 91, 92, 93, 147, 148, 149, 1000, 9000];
/** The largest that UDP over IPv4 carries. */
const OVERSIZED = 65_507;

const socket = createSocket("udp4");
for (const length of [...LENGTHS, OVERSIZED]) {
  for (const type of [0, 1, 2, 3, 4, 5, 255]) {
    const message = randomBytes(length);
    message.set([type, 0, 0, 0].slice(0, length));
    await send(message);
    message.set([type, 1, 2, 3].slice(0, length));
    await send(message);
  }
}
socket.close();

function send(message: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(message, Number(port), address, (error) => error ? reject(error) : resolve());
  });
}
