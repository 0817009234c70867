/**
 * Where results of a remote identity's Diffie-Hellman lie between the thread that got them and the
 * worker that uses them. One page for the process, never given back: an identity that writes too
 * late writes to a place that is wiped, not to memory that is gone.
 */
import { SecretMemory } from "../os/secret_memory.ts";

const KEY_LENGTH = 32;
const PAGE_LENGTH = 4096;

export interface DhAnswer {
  readonly address: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

let free: DhAnswer[] | undefined;

/** A zeroed place; undefined when all are in use. */
export function takeDhAnswer(): DhAnswer | undefined {
  free ??= makePage();
  const answer = free.pop();
  answer?.bytes.fill(0);
  return answer;
}

export function releaseDhAnswer(answer: DhAnswer): void {
  answer.bytes.fill(0);
  free?.push(answer);
}

function makePage(): DhAnswer[] {
  const page = SecretMemory.allocate(PAGE_LENGTH);
  return Array.from({ length: PAGE_LENGTH / KEY_LENGTH }, () => page.take(KEY_LENGTH));
}
