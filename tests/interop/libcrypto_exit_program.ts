/** Ends the process while threads of it are in libcrypto, and takes its time over it. */
import { Libcrypto } from "../../os/libcrypto.ts";

const THREADS = 2;
/** How long the process is busy ending. Microseconds. */
const ENDING_US = 200_000n;
const KEY = new Uint8Array(32).fill(5);

if (import.meta.url.endsWith("?thread")) useForEver();
else startThreads();

function startThreads(): void {
  endSlowly();
  let running = 0;
  for (let thread = 0; thread < THREADS; thread++) {
    const worker = new Worker(`${import.meta.url}?thread`, { type: "module" });
    worker.onmessage = () => {
      if (++running === THREADS) Deno.exit(0);
    };
  }
}

/** What is registered first runs last: libcrypto's clean-up, if there is one, comes before the wait. */
function endSlowly(): void {
  const { symbols } = Deno.dlopen("libc.so.6", {
    usleep: { type: "pointer" },
    __cxa_atexit: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  });
  const wait = Deno.UnsafePointer.create(ENDING_US);
  if (symbols.__cxa_atexit(symbols.usleep, wait, null) !== 0) {
    throw new Error("Cannot register what runs at exit");
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
