// The layers of the frame in sight, and what tools do to them.
//
// "labels" is what the frame holds: an edit of them says that the whole frame is right
// as it stands. "strokes" are hints: they say something of their own pixels alone.

import * as brush from "./brush.js";
import { copyOf } from "./clip.js";
import { History } from "./history.js";

const EXCLUDED = 255;

export class Editor {
  history = new History();
  tool = "brush"; // brush, eraser, box, include, exclude, hand
  size = 24; // of the brush, in image pixels
  object = 1;
  frame = 0;
  labels = null;
  strokes = null;
  area = null; // the box that is being drawn
  #painted = false;
  #stroke = null; // {before, last, from, area} while a pointer is down
  #saver;
  #onChange;

  /** `onChange()` whenever the layers look different. */
  constructor(saver, onChange) {
    this.#saver = saver;
    this.#onChange = onChange;
  }

  get drawing() {
    return this.#stroke !== null;
  }

  /** Takes a frame's planes, which it may write to; `painted`: they are a truth. */
  show(frame, labels, strokes, painted) {
    this.cancel();
    this.frame = frame;
    this.labels = labels;
    this.strokes = strokes;
    this.#painted = painted;
    this.#onChange();
  }

  begin(point) {
    if (!this.labels) return;
    const before = { labels: copyOf(this.labels), strokes: copyOf(this.strokes) };
    this.#stroke = { before, last: null, from: point, area: null };
    this.move(point);
  }

  move(point) {
    const stroke = this.#stroke;
    if (!stroke) return;
    if (this.tool === "box") {
      const { width, height } = this.labels;
      this.area = brush.boxBetween(stroke.from, point, width, height);
    } else {
      const to = brush.snap(...point, this.size);
      this.#touch((plane, value) =>
        brush.stroke(plane, stroke.last ?? to, to, this.size, value),
      );
      stroke.last = to;
    }
    this.#onChange();
  }

  /** Runs `paint(plane, value)` on the layers that the tool changes. */
  #touch(paint) {
    const { object } = this;
    const values = {
      brush: [object, 0],
      box: [object, 0],
      eraser: [0, 0],
      include: [null, object],
      exclude: [null, EXCLUDED],
    }[this.tool];
    const planes = [this.labels, this.strokes];
    for (const [i, plane] of planes.entries()) {
      if (values[i] === null) continue;
      this.#stroke.area = brush.union(this.#stroke.area, paint(plane, values[i]));
    }
  }

  end() {
    const stroke = this.#stroke;
    if (!stroke) return;
    if (this.area) this.#touch((plane, value) => brush.fill(plane, this.area, value));
    this.area = null;
    this.#stroke = null;
    this.#record(stroke.before, stroke.area);
    this.#onChange();
  }

  /** Takes back what the pointer has drawn since it went down. */
  cancel() {
    if (!this.#stroke) return;
    const { before } = this.#stroke;
    this.labels.values.set(before.labels.values);
    this.strokes.values.set(before.strokes.values);
    this.#stroke = null;
    this.area = null;
    this.#onChange();
  }

  /** Says that no object is in this frame. */
  makeEmpty() {
    if (!this.labels || this.drawing) return;
    const before = { labels: copyOf(this.labels), strokes: copyOf(this.strokes) };
    this.labels.values.fill(0);
    this.strokes.values.fill(0);
    const { width, height } = this.labels;
    this.#record(before, { x: 0, y: 0, width, height }, true);
    this.#onChange();
  }

  #record(before, area, always = false) {
    if (!area || !area.width || !area.height) return;
    const parts = [];
    for (const layer of ["labels", "strokes"]) {
      const { values, width } = this[layer];
      const old = brush.cut(before[layer].values, width, area);
      const now = brush.cut(values, width, area);
      const differs = now.some((value, i) => value !== old[i]);
      if (differs || (always && layer === "labels")) {
        parts.push({ layer, area, before: old, after: now });
      }
    }
    if (!parts.length) return;
    this.history.add({ frame: this.frame, parts, wasPainted: this.#painted });
    this.#send(parts);
  }

  #send(parts) {
    for (const { layer } of parts) {
      if (layer === "labels") this.#painted = true;
      this.#saver.put(this.frame, layer, this[layer]);
    }
  }

  /** Takes back a step of this frame that `history.undo()` gave. */
  takeBack(step) {
    for (const part of step.parts) {
      brush.paste(this[part.layer], part.area, part.before);
    }
    const touched = step.parts.some((part) => part.layer === "labels");
    if (touched && !step.wasPainted) {
      // The frame goes back to what propagation proposed, and is no truth any more.
      this.#painted = false;
      this.#saver.forget(this.frame);
      if (this.strokes.values.some((value) => value)) {
        this.#saver.put(this.frame, "strokes", this.strokes);
      }
    } else {
      this.#send(step.parts);
    }
    this.#onChange();
  }

  /** Does a step of this frame again that `history.redo()` gave. */
  doAgain(step) {
    for (const part of step.parts) {
      brush.paste(this[part.layer], part.area, part.after);
    }
    this.#send(step.parts);
    this.#onChange();
  }

  /** Forgets all that was said of this frame. */
  forget() {
    this.cancel();
    this.history.forget(this.frame);
    this.#saver.forget(this.frame);
  }
}
