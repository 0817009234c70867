/**
 * A plain web server for the story's networks: `deno run web_server.ts NAME`. Port 80 answers
 * `/` with a page that says who it is and who asked, and `/big?seed=N&size=N` with a big file, at most `rate=N` bytes
 * a second if asked;
 * UDP port 7 sends back what it gets (RFC 862). IPv4 and IPv6.
 */
import { createSocket } from "node:dgram";
import { bigFile } from "./big_file.ts";

const [name = "nobody"] = Deno.args;
const MAX_SIZE = 4_000_000_000;

const echo = createSocket({ type: "udp6", ipv6Only: false });
echo.on("message", (bytes, from) => echo.send(bytes, from.port, from.address));
echo.bind(7, "::");

Deno.serve({
  port: 80,
  hostname: "::",
  onListen: () => console.log("listening"),
}, (request, info) => {
  const url = new URL(request.url);
  if (url.pathname === "/big") return big(url.searchParams);
  if (url.pathname !== "/") return new Response("Not found\n", { status: 404 });
  const from = info.remoteAddr.hostname.replace(/^::ffff:/, "");
  return new Response(`This is ${name}. You are ${from}.\n`);
});

function big(parameters: URLSearchParams): Response {
  const seed = Number(parameters.get("seed"));
  const size = Number(parameters.get("size"));
  const rate = Number(parameters.get("rate") ?? Infinity);
  if (!Number.isSafeInteger(seed) || !(size >= 0 && size <= MAX_SIZE) || !(rate > 0)) {
    return new Response("Cannot make that file: seed, size and rate must be whole numbers\n", {
      status: 400,
    });
  }
  const blocks = bigFile({ seed, size });
  const start = performance.now();
  let sent = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const ahead = sent / rate * 1000 - (performance.now() - start);
      if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
      const { value, done } = blocks.next();
      if (done === true) return controller.close();
      sent += value.length;
      controller.enqueue(value);
    },
  });
  return new Response(body, { headers: { "content-length": String(size) } });
}
