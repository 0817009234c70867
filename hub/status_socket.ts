/** Tells the status to whoever may open the socket in the run folder: one JSON document, then the end. */
import type { HubStatus } from "./hub_status.ts";

/** Serves until disposed of; a status that can't be had closes the connection without a word. */
export function serveStatus(path: string, status: () => Promise<HubStatus>): Disposable {
  removeIfThere(path);
  const listener = Deno.listen({ transport: "unix", path });
  Deno.chmodSync(path, 0o600);
  void accept(listener, status);
  return {
    [Symbol.dispose]: () => {
      listener.close();
      removeIfThere(path);
    },
  };
}

/** @throws {Error} when no hub answers there. */
export async function askStatus(path: string): Promise<string> {
  let connection: Deno.UnixConn;
  try {
    connection = await Deno.connect({ transport: "unix", path });
  } catch {
    throw new Error(`Cannot ask the hub at ${path}: none runs there; start it first`);
  }
  const text = await new Response(connection.readable).text();
  if (text === "") throw new Error(`Cannot ask the hub at ${path}: it gave no answer; ask again`);
  return text;
}

async function accept(listener: Deno.UnixListener, status: () => Promise<HubStatus>) {
  for await (const connection of listener) {
    void answer(connection, status).catch(() => {}).finally(() => connection.close());
  }
}

async function answer(connection: Deno.UnixConn, status: () => Promise<HubStatus>) {
  const bytes = new TextEncoder().encode(`${JSON.stringify(await status())}\n`);
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
