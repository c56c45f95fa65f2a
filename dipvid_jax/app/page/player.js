// Plays the clip at its frame rate. A frame that is not there yet is waited for, so
// that every frame is seen; after the last comes the first.

export class Player {
  #playing = false;
  #show;
  #fetchAhead;
  #onChange;

  /** `show(n)` resolves when frame n is on the screen; `fetchAhead(n)` only fetches. */
  constructor(show, fetchAhead, onChange) {
    this.#show = show;
    this.#fetchAhead = fetchAhead;
    this.#onChange = onChange;
  }

  get playing() {
    return this.#playing;
  }

  stop() {
    if (!this.#playing) return;
    this.#playing = false;
    this.#onChange();
  }

  async play(from, count, rate, ahead) {
    if (this.#playing || count < 2) return;
    this.#playing = true;
    this.#onChange();
    const pause = 1000 / (rate > 0 ? rate : 24);
    let due = performance.now();
    try {
      for (let n = (from + 1) % count; this.#playing; n = (n + 1) % count) {
        for (let k = 1; k <= ahead; k++) this.#fetchAhead((n + k) % count);
        due = Math.max(due + pause, performance.now());
        await until(due);
        if (this.#playing) await this.#show(n);
      }
    } finally {
      this.stop();
    }
  }
}

const until = (time) =>
  new Promise((done) => setTimeout(done, Math.max(0, time - performance.now())));
