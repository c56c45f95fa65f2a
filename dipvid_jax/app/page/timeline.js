// The bar under the image: how sure each frame is, what was painted and locked, and
// where one stands. It is a slider: a pointer drags it, keys move it.

const SURE = 0.9; // confidence from here on needs no look

export class Timeline {
  #canvas;
  #frames = [];
  #current = 0;
  #next = null;

  /** `onSeek(frame)` while a pointer drags. */
  constructor(canvas, onSeek) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.#draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
      this.#draw(),
    );
    const seek = (event) => {
      const box = canvas.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * this.#frames.length;
      const last = this.#frames.length - 1;
      if (last >= 0) onSeek(Math.max(0, Math.min(last, Math.floor(at))));
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      seek(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) seek(event);
    });
  }

  /** `frames` and `next` as the server's state has them. */
  show(frames, current, next) {
    this.#frames = frames;
    this.#current = current;
    this.#next = next;
    this.#canvas.setAttribute("aria-valuemax", Math.max(0, frames.length - 1));
    this.#canvas.setAttribute("aria-valuenow", current);
    this.#canvas.setAttribute("aria-valuetext", describe(frames, current));
    this.#draw();
  }

  #draw() {
    const canvas = this.#canvas;
    const box = canvas.getBoundingClientRect();
    const ratio = devicePixelRatio;
    canvas.width = Math.max(1, Math.round(box.width * ratio));
    canvas.height = Math.max(1, Math.round(box.height * ratio));
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const wide = box.width / Math.max(1, this.#frames.length);
    const floor = box.height - 4;
    const tall = floor - 16; // above the bars is room for marks
    for (const [n, frame] of this.#frames.entries()) {
      const x = n * wide;
      const gap = wide > 4 ? 1 : 0;
      const sure = frame.confidence ?? 0;
      context.fillStyle = colour(sure >= SURE ? "sure" : "unsure");
      if (frame.confidence === null) context.fillStyle = colour("faint");
      const height = frame.confidence === null ? 3 : Math.max(3, tall * sure);
      context.fillRect(x, floor - height, Math.max(0.5, wide - gap), height);
      const middle = x + wide / 2;
      if (frame.locked) square(context, middle, 8, colour("text"));
      else if (frame.painted) disc(context, middle, 8, 4, colour("accent"));
      else if (frame.strokes) ring(context, middle, 8, 3, colour("accent"));
    }
    if (this.#next !== null) {
      triangle(context, (this.#next + 0.5) * wide, 4, colour("unsure"));
    }
    const at = (this.#current + 0.5) * wide;
    context.fillStyle = colour("text");
    context.fillRect(Math.max(0, at - 1), 0, 2, box.height);
  }
}

/** One frame in words, as a screen reader and the line under the image say it. */
export function describe(frames, n) {
  const frame = frames[n];
  if (!frame) return "";
  const words = [`Frame ${n} / ${frames.length - 1}`];
  if (frame.painted) words.push("painted");
  if (frame.locked) words.push("locked");
  if (frame.strokes) words.push("hints");
  const known = frame.confidence !== null && !frame.painted && !frame.locked;
  if (known) words.push(`${Math.round(100 * frame.confidence)}% sure`);
  return words.join(", ");
}

function disc(context, x, y, radius, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function ring(context, x, y, radius, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

function square(context, x, y, colour) {
  context.fillStyle = colour;
  context.fillRect(x - 4, y - 4, 8, 8);
}

function triangle(context, x, y, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(x - 5, y);
  context.lineTo(x + 5, y);
  context.lineTo(x, y + 8);
  context.fill();
}
