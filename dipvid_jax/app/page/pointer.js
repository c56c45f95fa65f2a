// Mouse, pen and fingers on the canvas: one pointer uses the tool, the middle button
// or the hand moves the image, two fingers move and zoom it, the wheel zooms.

export function listen(canvas, view, editor, { onHover, onTake }) {
  const down = new Map(); // pointers on the canvas: id -> last event
  let moving = false;

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 1) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, event);
    if (down.size > 1) {
      editor.cancel(); // the first of two fingers has drawn nothing
      moving = true;
      return;
    }
    moving = event.button === 1 || editor.tool === "hand" || onTake(event);
    if (!moving) editor.begin(view.toImage(event));
  });

  canvas.addEventListener("pointermove", (event) => {
    const last = down.get(event.pointerId);
    if (!last) {
      onHover(event);
      return;
    }
    if (moving) move(view, down, last, event);
    else for (const point of steps(event)) editor.move(view.toImage(point));
    down.set(event.pointerId, event);
    onHover(event);
  });

  const up = (event, finish) => {
    if (!down.delete(event.pointerId)) return;
    if (down.size === 0) {
      if (!moving) finish();
      moving = false;
    }
  };
  canvas.addEventListener("pointerup", (event) => up(event, () => editor.end()));
  canvas.addEventListener("pointercancel", (event) => up(event, () => editor.cancel()));
  canvas.addEventListener("pointerleave", () => onHover(null));
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === 1 ? 16 * event.deltaY : event.deltaY;
      view.zoom(Math.exp(-Math.max(-200, Math.min(200, pixels)) / 300), event);
    },
    { passive: false },
  );
}

/** A fast pen has been at more places than the browser reports one by one. */
function steps(event) {
  const between = event.getCoalescedEvents?.() ?? [];
  return between.length ? between : [event];
}

function move(view, down, last, event) {
  const [dx, dy] = [event.clientX - last.clientX, event.clientY - last.clientY];
  if (down.size === 1) {
    view.pan(dx, dy);
    return;
  }
  const other = [...down.values()].find((e) => e.pointerId !== event.pointerId);
  const apart = (e) => Math.hypot(e.clientX - other.clientX, e.clientY - other.clientY);
  view.pan(dx / 2, dy / 2);
  const middle = {
    clientX: (event.clientX + other.clientX) / 2,
    clientY: (event.clientY + other.clientY) / 2,
  };
  if (apart(last) > 0) view.zoom(apart(event) / apart(last), middle);
}
