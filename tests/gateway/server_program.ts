/**
 * Servers of the far side: HTTP on the given port (`/` names this side and who asks, `/stream` never
 * ends) and on 8080 too, and UDP on 9999, which answers with what it got.
 */
import { createSocket } from "node:dgram";

const [side = "", port = "80"] = Deno.args;

for (const each of new Set([Number(port), 8080])) {
  Deno.serve({ port: each, hostname: "::", onListen: () => {} }, (request, info) => {
    if (new URL(request.url).pathname !== "/stream") {
      return new Response(`${side} sees ${info.remoteAddr.hostname}\n`);
    }
    const chunk = new Uint8Array(16_384);
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 2));
          controller.enqueue(chunk);
        },
      }),
    );
  });
}
const udp = createSocket({ type: "udp6", ipv6Only: false });
udp.on("message", (bytes, from) => udp.send(bytes, from.port, from.address));
udp.bind(9999, "::", () => console.log("ready"));
