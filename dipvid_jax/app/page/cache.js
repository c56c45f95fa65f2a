// A cache of bounded size. What was used longest ago goes first.

export class Cache {
  #entries = new Map(); // key -> {promise, bytes, value}; oldest first
  #bytes = 0;
  #limit;
  #load;
  #sizeOf;

  /** `load(...args)` gives a promise; `sizeOf(value)` its bytes. */
  constructor(limit, load, sizeOf) {
    this.#limit = limit;
    this.#load = load;
    this.#sizeOf = sizeOf;
  }

  /** The value at `key`, loaded by `load(...args)` where it is not at hand. */
  get(key, ...args) {
    const known = this.#entries.get(key);
    if (known) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known.promise;
    }
    const entry = { bytes: 0, promise: this.#load(...args) };
    this.#entries.set(key, entry);
    entry.promise.then(
      (value) => this.#arrived(key, entry, value),
      () => this.#entries.get(key) === entry && this.#entries.delete(key),
    );
    return entry.promise;
  }

  #arrived(key, entry, value) {
    if (this.#entries.get(key) !== entry) return; // cleared meanwhile
    entry.bytes = this.#sizeOf(value);
    this.#bytes += entry.bytes;
    for (const [old, { bytes }] of this.#entries) {
      if (this.#bytes <= this.#limit) break;
      if (old === key || !bytes) continue;
      this.#entries.delete(old);
      this.#bytes -= bytes;
    }
  }

  /** How many values of `bytes` each fit beside each other. */
  room(bytes) {
    return Math.max(1, Math.floor(this.#limit / bytes));
  }

  clear() {
    this.#entries.clear();
    this.#bytes = 0;
  }
}
