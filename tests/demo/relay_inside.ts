/**
 * The inner half of a relay, in a machine's namespaces: `relay_inside.ts SOCKET HOST PORT` copies
 * bytes between connections to a Unix socket and the address as the machine reaches it.
 */
const [path = "", hostname = "", port = ""] = Deno.args;

const listener = Deno.listen({ transport: "unix", path });
Deno.chmodSync(path, 0o600);
console.log("listening");
for await (const outside of listener) {
  Deno.connect({ hostname, port: Number(port) }).then(
    (inside) => join(outside, inside),
    () => outside.close(),
  );
}

/** Copies both ways until both sides have ended, or one breaks. */
async function join(a: Deno.Conn, b: Deno.Conn): Promise<void> {
  await Promise.allSettled([a.readable.pipeTo(b.writable), b.readable.pipeTo(a.writable)]);
}
