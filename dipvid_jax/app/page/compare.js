// Before and after under one wipe: the clip on the left of the line, the result on its
// right, at the same frame, place and zoom.

const GRIP = 14; // CSS pixels around the line that take hold of it

export class Compare {
  on = false;
  share = 0.5; // of the image's width that shows the clip
  result = null; // a canvas with the result's frame, or null while there is none

  /** Draws the result right of the line, in image coordinates. */
  draw(context, view) {
    if (!this.on || !this.result) return;
    const x = this.share * view.width;
    context.save();
    context.beginPath();
    context.rect(x, 0, view.width - x, view.height);
    context.clip();
    context.drawImage(this.result, 0, 0);
    context.restore();
  }

  /** Draws the line and its grip, in device pixels. */
  decorate(context, view) {
    if (!this.on) return;
    const ratio = devicePixelRatio;
    const x = view.left + this.share * view.width * view.scale;
    const top = Math.max(0, view.top);
    const bottom = Math.min(context.canvas.height, view.top + view.height * view.scale);
    context.fillStyle = "#fff";
    context.strokeStyle = "#0009";
    context.lineWidth = ratio;
    context.fillRect(x - ratio, top, 2 * ratio, bottom - top);
    context.beginPath();
    context.arc(x, (top + bottom) / 2, 9 * ratio, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
    context.font = `600 ${12 * ratio}px system-ui, sans-serif`;
    context.textBaseline = "top";
    tag(context, "before", x - 10 * ratio, top + 8 * ratio, "right", ratio);
    tag(context, "after", x + 10 * ratio, top + 8 * ratio, "left", ratio);
  }

  /** Whether the event is on the line. */
  holds(event, view) {
    if (!this.on) return false;
    const [x] = view.toPage(this.share * view.width, 0);
    return Math.abs(event.clientX - x) <= GRIP;
  }

  /** Moves the line to the event. */
  drag(event, view) {
    this.share = Math.max(0, Math.min(1, view.toImage(event)[0] / view.width));
  }
}

function tag(context, text, x, y, align, ratio) {
  const wide = context.measureText(text).width + 12 * ratio;
  const left = align === "right" ? x - wide : x;
  context.fillStyle = "#000a";
  context.fillRect(left, y, wide, 20 * ratio);
  context.fillStyle = "#fff";
  context.textAlign = "left";
  context.fillText(text, left + 6 * ratio, y + 4 * ratio);
}
