/** The data-plane thread. It blocks in poll(2); a message to it is announced through an eventfd. */
import type { CloseReason, TunnelEvent } from "../api.ts";
import { nativeBytes } from "../../os/libc.ts";
import { KEY_LENGTH } from "../protocol/spec.ts";
import { DataPlane } from "./data_plane.ts";
import { PortError } from "./sockets.ts";
import { warmUp } from "./warm_up.ts";
import { bestCrypto, cryptoChoice } from "../protocol/native.ts";
import type { FromWorker, Request, ToWorker } from "./messages.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
  close(): void;
}

const PORTABLE: TunnelEvent = {
  kind: "notice",
  message: "packets are encrypted in JavaScript, slowly: libcrypto is absent, too old or unwanted",
};

const scope = self as unknown as WorkerScope;
const tell = (message: FromWorker) => scope.postMessage(message);

/** What to do without although it is there, for tests and for comparing. */
const CRYPTO_CHOICE = "SEKISHO_TUNNEL_CRYPTO";
const early: MessageEvent<ToWorker>[] = [];
// What is said while the portable cryptography is loaded waits.
scope.onmessage = (event) => early.push(event);
const library = await bestCrypto(cryptoChoice(Deno.env.get(CRYPTO_CHOICE)));
let wake = -1;
let sent: Int32Array = new Int32Array(1);
let received = 0;
let plane: DataPlane | undefined;
let caughtUp: (() => void) | undefined;

scope.onmessage = hear;
for (const event of early) hear(event);

function hear({ data }: MessageEvent<ToWorker>): void {
  if (data.type === "hello") {
    wake = data.wake;
    sent = new Int32Array(data.sent);
    if (data.warmUp) warmUp(library);
    return;
  }
  received++;
  if (data.type === "dh") takeDh(data.id, data.answer);
  else answer(data.id, data.request);
  if (received === Atomics.load(sent, 0)) caughtUp?.();
}

/** Lets messages in until all that were sent have arrived. */
function messagesIn(): Promise<void> {
  if (received === Atomics.load(sent, 0)) return Promise.resolve();
  return new Promise((resolve) => {
    caughtUp = resolve;
  });
}

function answer(id: number, request: Request): void {
  try {
    handle(id, request);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof PortError && error.inUse ? "EADDRINUSE" : "EIO";
    tell({ type: "refused", id, code, message });
  }
}

function handle(id: number, request: Request): void {
  if (request.type === "start") {
    plane = new DataPlane(request.options, {
      wake,
      crypto: library,
      owner: {
        event: (event) => tell({ type: "event", event }),
        requestDh: (dhId, peerPublicKey) => tell({ type: "dh", id: dhId, peerPublicKey }),
      },
    });
    // It blocks at once, so the answer goes first.
    tell({ type: "done", id });
    if (library.name === "noble") tell({ type: "event", event: PORTABLE });
    void carry(plane);
    return;
  }
  if (plane === undefined) {
    tell({ type: "refused", id, code: "EIO", message: "Cannot reach tunnel: it has ended" });
    return;
  }
  switch (request.type) {
    case "set":
      plane.configure(request.config);
      break;
    case "get":
      tell({ type: "done", id, status: plane.status() });
      return;
    case "rekey":
      plane.rekey();
      break;
    case "rebind":
      plane.rebind();
      break;
    case "stop":
      plane.stop();
  }
  tell({ type: "done", id });
}

function takeDh(id: number, answer: bigint | undefined): void {
  plane?.answerDh(id, answer === undefined ? undefined : nativeBytes(answer, KEY_LENGTH));
  tell({ type: "dh-taken", id });
}

async function carry(running: DataPlane): Promise<void> {
  let reason: CloseReason;
  try {
    reason = await running.run(messagesIn);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    reason = { kind: "failed", message: `Cannot carry packets: ${message}` };
  }
  plane = undefined;
  running.close();
  tell({ type: "closed", reason });
  scope.close();
}
