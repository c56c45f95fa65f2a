// Undo and redo. A step holds the pixels of its rectangle before and after, so that it
// costs what it changed; the oldest steps go when they cost more than `limit` bytes.

export class History {
  #done = [];
  #undone = [];
  #bytes = 0;
  #limit;

  constructor(limit = 64 * 1024 * 1024) {
    this.#limit = limit;
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  /** `step`: `{frame, parts, wasPainted}`; a part: `{layer, area, before, after}`. */
  add(step) {
    for (const lost of this.#undone) this.#bytes -= cost(lost);
    this.#undone = [];
    this.#done.push(step);
    this.#bytes += cost(step);
    while (this.#bytes > this.#limit && this.#done.length > 1) {
      this.#bytes -= cost(this.#done.shift());
    }
  }

  /** The step to take back; undefined where there is none, or `may(step)` says no. */
  undo(may) {
    return move(this.#done, this.#undone, may);
  }

  /** The step to do again, likewise. */
  redo(may) {
    return move(this.#undone, this.#done, may);
  }

  /** Drops the steps of one frame, whose layers have come from elsewhere. */
  forget(frame) {
    const stays = (step) => step.frame !== frame;
    this.#done = this.#done.filter(stays);
    this.#undone = this.#undone.filter(stays);
    this.#bytes = [...this.#done, ...this.#undone].reduce((sum, s) => sum + cost(s), 0);
  }

  clear() {
    this.#done = [];
    this.#undone = [];
    this.#bytes = 0;
  }
}

const cost = (step) =>
  step.parts.reduce((sum, part) => sum + part.before.length + part.after.length, 0);

function move(from, to, may) {
  const step = from.at(-1);
  if (!step || !may(step)) return undefined;
  to.push(from.pop());
  return step;
}
