// The pictures and masks of the open clip, fetched by number and kept in caches of
// bounded size: a long clip never lies decoded in the browser as a whole.

import * as api from "./api.js";
import { Cache } from "./cache.js";
import { decodeGrey } from "./png.js";

const PICTURE_BYTES = 160 * 1024 * 1024;
const MASK_BYTES = 48 * 1024 * 1024;

const bitmap = async (blob) => createImageBitmap(await blob);
const bytesOf = (picture) => 4 * picture.width * picture.height;

export class Clip {
  #pictures = new Cache(PICTURE_BYTES, (load) => bitmap(load()), bytesOf);
  #masks = new Cache(MASK_BYTES, (load) => load(), (plane) => plane.values.length);

  /** `clip` is the server's description: name, frame_count, width, height. */
  constructor(clip) {
    Object.assign(this, clip);
  }

  get key() {
    const { id = "", name, frame_count: count, width, height } = this;
    return [id, name, count, width, height].join("/");
  }

  /** How many pictures may be fetched ahead without losing one of them. */
  get ahead() {
    const room = this.#pictures.room(4 * this.width * this.height);
    return Math.max(1, Math.min(8, Math.floor(room / 4)));
  }

  frame(n) {
    return this.#pictures.get(`frame ${n}`, () => api.frame(this.key, n));
  }

  result(n, version) {
    return this.#pictures.get(`result ${n} ${version}`, () => api.result(version, n));
  }

  empty() {
    const { width, height } = this;
    return { values: new Uint8Array(width * height), width, height };
  }

  /** A plane `{values, width, height}`, not to be written to. `layer`: labels, strokes.
   *
   * `about` is the frame's entry in the server's state. */
  async mask(layer, n, about) {
    if (layer === "strokes" ? !about.strokes : !about.marked) return this.empty();
    const key = `${layer} ${n} ${about.version}`;
    return this.#masks.get(key, async () => {
      const plane = await decodeGrey(await api.mask(layer, n, about.version));
      if (plane.width !== this.width || plane.height !== this.height) {
        throw new Error(`the mask of frame ${n} has another size than the clip`);
      }
      return plane;
    });
  }
}

/** A plane that may be written to. */
export const copyOf = (plane) => ({ ...plane, values: plane.values.slice() });
