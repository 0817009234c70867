/**
 * The interface's static key, and the handshakes that wait for it. With a local key a handshake
 * runs to its end at once. With a remote one (a card) it stops at each Diffie-Hellman until the
 * answer comes; a bounded number is under way, a bounded number waits, our own before others'.
 */
import { IDENTITY_TIMEOUT, MAX_IDENTITY_WAITING } from "./choices.ts";
import type { Context } from "./context.ts";
import type { PrivateKey } from "./crypto.ts";
import type { StaticDh, Steps } from "./handshake.ts";
import { KEY_LENGTH } from "./spec.ts";

export type CoreIdentity =
  | { readonly kind: "none" }
  | { readonly kind: "local"; readonly privateKey: Uint8Array }
  | { readonly kind: "remote"; readonly publicKey: Uint8Array; readonly concurrency: number };

export type Outcome<Result> =
  | { readonly kind: "done"; readonly result: Result }
  | { readonly kind: "identity-failed" }
  | { readonly kind: "busy" };

interface Job {
  /** Goes on with the answer to the last request; undefined when the handshake has ended. */
  resume(answer: boolean): StaticDh | undefined;
  abandon(outcome: { kind: "identity-failed" } | { kind: "busy" }): void;
}

interface RunningJob {
  readonly job: Job;
  readonly request: StaticDh;
  readonly deadline: number;
}

export class IdentityQueue {
  readonly #context: Context;
  #identity: CoreIdentity = { kind: "none" };
  /** The local key, ready for use for as long as it is set. */
  #key: PrivateKey | undefined;
  readonly publicKey: Uint8Array = new Uint8Array(KEY_LENGTH);
  readonly #running = new Map<number, RunningJob>();
  #waitingOwn: Job[] = [];
  #waitingOthers: Job[] = [];
  #nextId = 1;

  constructor(context: Context) {
    this.#context = context;
  }

  get kind(): CoreIdentity["kind"] {
    return this.#identity.kind;
  }

  get waiting(): number {
    return this.#waitingOwn.length + this.#waitingOthers.length;
  }

  /** Takes another key; handshakes under way with the old one are given up. False if it is the same key. */
  set(identity: CoreIdentity): boolean {
    this.#key?.release();
    this.#key = identity.kind === "local"
      ? this.#context.crypto.privateKey(identity.privateKey)
      : undefined;
    const publicKey = this.#publicKeyOf(identity);
    const same = identity.kind === this.#identity.kind &&
      publicKey.every((byte, index) => byte === this.publicKey[index]);
    this.#identity = identity;
    if (same) return false;
    this.publicKey.set(publicKey);
    const given = [...this.#running.values()].map((running) => running.job);
    const dropped = [...given, ...this.#waitingOwn, ...this.#waitingOthers];
    this.#running.clear();
    this.#waitingOwn = [];
    this.#waitingOthers = [];
    for (const job of dropped) job.abandon({ kind: "busy" });
    return true;
  }

  /** Runs `steps`; `finish` is called once, possibly before this returns. `own`: we began this handshake. */
  run<Result>(
    steps: Steps<Result>,
    parts: { own: boolean; finish: (outcome: Outcome<Result>) => void },
  ): void {
    const job = jobOf(steps, parts.finish);
    switch (this.#identity.kind) {
      case "none":
        job.abandon({ kind: "identity-failed" });
        return;
      case "local":
        this.#runLocal(job);
        return;
      case "remote":
        this.#enqueue(job, { own: parts.own, concurrency: this.#identity.concurrency });
    }
  }

  /** The answer to request `id`; undefined says that it failed. An unknown id is an answer that came too late. */
  answer(id: number, secret: Uint8Array | undefined): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    if (secret === undefined) {
      running.job.abandon({ kind: "identity-failed" });
    } else {
      running.request.out.set(secret);
      this.#advance(running.job, secret.some((byte) => byte !== 0));
    }
    this.#startWaiting();
  }

  /** When the oldest request under way will have failed. */
  get deadline(): number {
    for (const running of this.#running.values()) return running.deadline;
    return Infinity;
  }

  expire(): void {
    for (const [id, running] of this.#running) {
      if (running.deadline > this.#context.now) return;
      this.answer(id, undefined);
    }
  }

  #publicKeyOf(identity: CoreIdentity): Uint8Array {
    switch (identity.kind) {
      case "remote":
        return identity.publicKey;
      case "none":
      case "local": {
        const publicKey = new Uint8Array(KEY_LENGTH);
        this.#key?.publicKey(publicKey);
        return publicKey;
      }
    }
  }

  #runLocal(job: Job): void {
    let request = job.resume(true);
    while (request !== undefined) request = job.resume(this.#answerLocal(request));
  }

  #answerLocal({ out, peerPublicKey, known }: StaticDh): boolean {
    const secret = known?.staticSecret;
    if (secret !== undefined) {
      out.set(secret.first);
      return true;
    }
    const agreed = this.#key?.dh(out, peerPublicKey) ?? false;
    if (!agreed || known === undefined) return agreed;
    // Without room it is computed again the next time.
    known.staticSecret = this.#context.pool.take();
    known.staticSecret?.first.set(out);
    return true;
  }

  #enqueue(job: Job, { own, concurrency }: { own: boolean; concurrency: number }): void {
    if (this.#running.size < concurrency) {
      this.#advance(job, true);
      return;
    }
    const queue = own ? this.#waitingOwn : this.#waitingOthers;
    if (queue.length >= MAX_IDENTITY_WAITING) {
      this.#context.drops.identityBusy++;
      job.abandon({ kind: "busy" });
    } else {
      queue.push(job);
    }
  }

  #startWaiting(): void {
    while (
      this.#identity.kind === "remote" && this.#running.size < this.#identity.concurrency
    ) {
      const job = this.#waitingOwn.shift() ?? this.#waitingOthers.shift();
      if (job === undefined) return;
      this.#advance(job, true);
    }
  }

  #advance(job: Job, answer: boolean): void {
    const request = job.resume(answer);
    if (request === undefined) return;
    const id = this.#nextId++;
    const deadline = this.#context.now + IDENTITY_TIMEOUT;
    this.#running.set(id, { job, request, deadline });
    this.#context.outside.requestDh(id, request.peerPublicKey);
  }
}

function jobOf<Result>(steps: Steps<Result>, finish: (outcome: Outcome<Result>) => void): Job {
  let started = false;
  return {
    resume(answer) {
      const step = started ? steps.next(answer) : steps.next();
      started = true;
      if (step.done !== true) return step.value;
      finish({ kind: "done", result: step.value });
      return undefined;
    },
    abandon(outcome) {
      finish(outcome);
    },
  };
}
