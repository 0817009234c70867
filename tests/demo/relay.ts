/** Lets a browser on the host reach an address that only a machine of the lab reaches. */
import type { Machine } from "../lab/machine.ts";

export interface Relay extends AsyncDisposable {
  /** On 127.0.0.1 of the host, and nowhere else. */
  readonly port: number;
}

/** Opens a port on the host's loopback (`port` 0: any) that leads to `to` as `from` reaches it. */
export async function openRelay(
  from: Machine,
  to: { hostname: string; port: number; socket: string; hostPort?: number },
): Promise<Relay> {
  const program = new URL("./relay_inside.ts", import.meta.url).pathname;
  const inside = await from.spawn([
    ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", "--quiet", program],
    ...[to.socket, to.hostname, String(to.port)],
  ], { stdout: "piped", stderr: "inherit" });
  const reader = inside.child.stdout.getReader();
  const { done } = await reader.read();
  reader.releaseLock();
  if (done) throw new Error(`Cannot relay to ${from.name}: the inner half ended`);
  const listener = listen(to.hostPort ?? 0);
  void accept(listener, to.socket);
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await inside.stop();
      await inside.child.stdout.cancel().catch(() => {});
    },
  };
}

/** The wished port when it is free, else any. */
function listen(port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (port === 0 || !(error instanceof Deno.errors.AddrInUse)) throw error;
    return Deno.listen({ hostname: "127.0.0.1", port: 0 });
  }
}

async function accept(listener: Deno.TcpListener, path: string): Promise<void> {
  for await (const outside of listener) {
    Deno.connect({ transport: "unix", path }).then(
      (inside) =>
        Promise.allSettled([
          outside.readable.pipeTo(inside.writable),
          inside.readable.pipeTo(outside.writable),
        ]),
      () => outside.close(),
    );
  }
}
