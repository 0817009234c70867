/** Bounded waits: what takes longer goes on without anybody waiting for it. */

/** How long pcscd itself may take for an answer that no card is asked for, in milliseconds. */
export const SERVICE_BOUND_MS = 5000;

/** The result, or `undefined` when it took longer. */
export async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
