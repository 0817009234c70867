/** Ends the process while two of its threads are in libcrypto. */
import { Libcrypto } from "../../os/libcrypto.ts";

/** After this both threads are in the midst of it. Milliseconds. */
const RUN_MS = 5;
const KEY = new Uint8Array(32).fill(5);

if (import.meta.url.endsWith("?thread")) useForEver();
else startThreads();

function startThreads(): void {
  let running = 0;
  for (let thread = 0; thread < 2; thread++) {
    const worker = new Worker(`${import.meta.url}?thread`, { type: "module" });
    worker.onmessage = () => {
      if (++running === 2) setTimeout(() => Deno.exit(0), RUN_MS);
    };
  }
}

function useForEver(): void {
  const library = Libcrypto.open();
  if (library === undefined) throw new Error("Cannot open libcrypto: install libssl3");
  const out = new Uint8Array(32);
  (self as unknown as { postMessage(message: unknown): void }).postMessage("running");
  for (;;) {
    const key = library.x25519Key(KEY);
    key.publicKey(out);
    key.release();
    library.packetCipher(new Uint8Array(256)).close();
  }
}
