// Sends edits to the server one after the other, in their order. Only the newest of
// several edits of the same layer is sent. What could not be sent for want of an
// answer is tried again; what the server refuses is dropped, and said.

import * as api from "./api.js";
import { encodeGrey } from "./png.js";

export class Saver {
  #waiting = []; // {frame, layer, plane}; layer null forgets the frame
  #running = null;
  #onSaved;
  #onError;

  /** `onSaved(frame)` after each edit; `onError(line, frame)`. */
  constructor(onSaved, onError) {
    this.#onSaved = onSaved;
    this.#onError = onError;
  }

  get busy() {
    return this.#waiting.length > 0;
  }

  isWaiting(frame) {
    return this.#waiting.some((edit) => edit.frame === frame);
  }

  /** Sends a layer as it is now; later changes of `plane` are not seen. */
  put(frame, layer, plane) {
    const edit = { frame, layer, plane: { ...plane, values: plane.values.slice() } };
    const last = this.#waiting.length - 1;
    const same = this.#waiting[last];
    // The first edit of the queue may be on its way already.
    if (last > 0 && same.frame === frame && same.layer === layer) this.#waiting.pop();
    this.#waiting.push(edit);
    this.flush();
  }

  forget(frame) {
    this.#waiting.push({ frame, layer: null });
    this.flush();
  }

  /** Resolves when everything has been sent, or with false when it could not be. */
  flush() {
    this.#running ??= this.#send().finally(() => (this.#running = null));
    return this.#running;
  }

  async #send() {
    while (this.#waiting.length) {
      const edit = this.#waiting[0];
      try {
        await send(edit);
      } catch (error) {
        this.#onError(`not saved: ${error.message}`, edit.frame);
        if (!error.status) return false; // no answer: the next flush tries again
      }
      if (this.#waiting[0] === edit) this.#waiting.shift();
      await this.#onSaved(edit.frame);
    }
    return true;
  }

  clear() {
    this.#waiting = [];
  }
}

async function send({ frame, layer, plane }) {
  if (layer === null) return api.forget(frame);
  const png = await encodeGrey(plane.values, plane.width, plane.height);
  return api.putMask(layer, frame, png);
}
