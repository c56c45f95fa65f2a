// What the tool would cover, drawn at the pointer.

import { snap } from "./brush.js";

/** Draws in device pixels. `hover` is an image point, or null. */
export function drawTool(context, view, editor, hover) {
  const ratio = devicePixelRatio;
  if (editor.area) {
    const { x, y, width, height } = editor.area;
    outline(context, ratio, () =>
      context.rect(
        view.left + x * view.scale,
        view.top + y * view.scale,
        width * view.scale,
        height * view.scale,
      ),
    );
    return;
  }
  if (!hover || editor.tool === "hand" || editor.tool === "box") return;
  const [x, y] = snap(...hover, editor.size);
  const radius = (editor.size / 2) * view.scale;
  outline(context, ratio, () =>
    context.arc(
      view.left + x * view.scale,
      view.top + y * view.scale,
      Math.max(1, radius),
      0,
      2 * Math.PI,
    ),
  );
}

/** A dark line with a light one in it is seen on any ground. */
function outline(context, ratio, shape) {
  for (const [colour, width] of [
    ["#000b", 3],
    ["#fff", 1.2],
  ]) {
    context.beginPath();
    shape();
    context.strokeStyle = colour;
    context.lineWidth = width * ratio;
    context.stroke();
  }
}
