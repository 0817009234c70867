/**
 * Which owner is due next: a binary heap with lazy entries. Moving a deadline later costs nothing
 * (the early entry is looked at again when it comes up); moving it earlier is one push.
 */
export interface Due {
  /** The time of the owner's entry that counts; Infinity for none. Written by `Deadlines` only. */
  wakeAt: number;
}

export class Deadlines<Owner extends Due> {
  readonly #heap: { at: number; owner: Owner }[] = [];

  /** Makes sure that `owner` comes up at `at` or earlier. */
  schedule(owner: Owner, at: number): void {
    if (at >= owner.wakeAt) return;
    owner.wakeAt = at;
    this.#push({ at, owner });
  }

  /** When the next owner comes up, Infinity for never. */
  next(): number {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return Infinity;
      if (top.at === top.owner.wakeAt) return top.at;
      this.#pop();
    }
  }

  /** Takes the next owner that is due at `now`. It has no entry after that. */
  take(now: number): Owner | undefined {
    if (this.next() > now) return undefined;
    const owner = this.#pop()?.owner;
    if (owner !== undefined) owner.wakeAt = Infinity;
    return owner;
  }

  #push(entry: { at: number; owner: Owner }): void {
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.at <= entry.at) break;
      heap[index] = above;
      heap[parent] = entry;
      index = parent;
    }
  }

  #pop(): { at: number; owner: Owner } | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || last === top) return top;
    heap[0] = last;
    for (let index = 0;;) {
      let child = 2 * index + 1;
      const left = heap[child];
      if (left === undefined) return top;
      const right = heap[child + 1];
      if (right !== undefined && right.at < left.at) child++;
      const lesser = heap[child];
      if (lesser === undefined || lesser.at >= last.at) return top;
      heap[index] = lesser;
      heap[child] = last;
      index = child;
    }
  }
}
