// The view: where the image lies on the screen, and what is drawn.
//
// Three kinds of pixels: CSS pixels (pointer events), device pixels (the canvas) and
// image pixels (masks). `scale` is device pixels per image pixel; all mapping between
// the kinds happens in this file.

const LARGEST_SCALE = 64;
const MARGIN = 10; // CSS pixels around the fitted image: a brush begins outside of it

export class View {
  #canvas;
  #context;
  #resized;

  width = 0; // of the image
  height = 0;
  scale = 1;
  left = 0; // device pixels of the image's corner
  top = 0;
  fitted = true;

  /** `draw(context, view)` draws the image's content in image coordinates. */
  constructor(canvas, draw, decorate) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.draw = draw;
    this.decorate = decorate;
    this.#resized = new ResizeObserver(() => this.#resize());
    this.#resized.observe(canvas);
    this.#watchPixelRatio();
  }

  /** A moved window may come to a screen with other pixels at the same CSS size. */
  #watchPixelRatio() {
    const query = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    query.addEventListener(
      "change",
      () => {
        this.#resize();
        this.#watchPixelRatio();
      },
      { once: true },
    );
  }

  #resize() {
    const box = this.#canvas.getBoundingClientRect();
    const width = Math.max(1, Math.round(box.width * devicePixelRatio));
    const height = Math.max(1, Math.round(box.height * devicePixelRatio));
    if (width !== this.#canvas.width || height !== this.#canvas.height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    if (this.fitted) this.fit();
    else this.redraw();
  }

  setImageSize(width, height) {
    this.width = width;
    this.height = height;
    this.fit();
  }

  #fitting() {
    const around = 2 * MARGIN * devicePixelRatio;
    const wide = Math.max(1, this.#canvas.width - around) / this.width;
    const high = Math.max(1, this.#canvas.height - around) / this.height;
    return Math.min(wide, high, LARGEST_SCALE);
  }

  fit() {
    const { width, height } = this.#canvas;
    if (!this.width) return;
    this.scale = this.#fitting();
    this.left = Math.round((width - this.width * this.scale) / 2);
    this.top = Math.round((height - this.height * this.scale) / 2);
    this.fitted = true;
    this.redraw();
  }

  /** Device pixels of a pointer event; the canvas has neither border nor padding. */
  #device(event) {
    const box = this.#canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * this.#canvas.width) / box.width,
      ((event.clientY - box.top) * this.#canvas.height) / box.height,
    ];
  }

  /** Image coordinates of a pointer event: pixel (x, y) covers [x, x+1) x [y, y+1). */
  toImage(event) {
    const [x, y] = this.#device(event);
    return [(x - this.left) / this.scale, (y - this.top) / this.scale];
  }

  /** CSS pixels, in the page, of an image point. */
  toPage(x, y) {
    const box = this.#canvas.getBoundingClientRect();
    return [
      box.left + ((x * this.scale + this.left) * box.width) / this.#canvas.width,
      box.top + ((y * this.scale + this.top) * box.height) / this.#canvas.height,
    ];
  }

  /** Zooms by `factor` and keeps the image point under the pointer where it is. */
  zoom(factor, event = null) {
    const { width, height } = this.#canvas;
    const [x, y] = event ? this.#device(event) : [width / 2, height / 2];
    const smallest = Math.min(this.#fitting(), 1);
    const wanted = Math.max(smallest, Math.min(LARGEST_SCALE, this.scale * factor));
    const by = wanted / this.scale;
    this.left = x - (x - this.left) * by;
    this.top = y - (y - this.top) * by;
    this.scale = wanted;
    this.fitted = false;
    this.#keepInSight();
    this.redraw();
  }

  /** Moves the image by CSS pixels. */
  pan(dx, dy) {
    this.left += dx * devicePixelRatio;
    this.top += dy * devicePixelRatio;
    this.fitted = false;
    this.#keepInSight();
    this.redraw();
  }

  /** Some of the image always stays on the screen. */
  #keepInSight() {
    const margin = 40 * devicePixelRatio;
    const { width, height } = this.#canvas;
    const right = width - margin;
    const bottom = height - margin;
    this.left = Math.min(right, Math.max(margin - this.width * this.scale, this.left));
    this.top = Math.min(bottom, Math.max(margin - this.height * this.scale, this.top));
  }

  redraw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = undefined;
      this.#drawNow();
    });
  }

  #drawNow() {
    const context = this.#context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    if (!this.width) return;
    context.setTransform(this.scale, 0, 0, this.scale, this.left, this.top);
    context.imageSmoothingEnabled = this.scale < 3; // larger: single pixels are shown
    context.imageSmoothingQuality = "high";
    this.draw(context, this);
    context.setTransform(1, 0, 0, 1, 0, 0);
    this.decorate(context, this);
  }
}
