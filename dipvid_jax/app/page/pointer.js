// Mouse, pen and fingers on the canvas: one pointer uses the tool, the middle button
// or the hand moves the image, two fingers move and zoom it, the wheel zooms.

/** `claim(event)` says what a pointer that goes down is for: "tool", "move", "wipe" or
 * "none"; `onWipe(event)` while it wipes; `onHover(event)`, null when it leaves. */
export function listen(canvas, view, editor, { claim, onWipe, onHover }) {
  const down = new Map(); // pointers on the canvas: id -> last event
  let use = "none";

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 1) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, event);
    if (down.size > 1) {
      editor.cancel(); // the first of two fingers has drawn nothing
      use = "move";
      return;
    }
    use = event.button === 1 ? "move" : claim(event);
    if (use === "tool") editor.begin(view.toImage(event));
  });

  canvas.addEventListener("pointermove", (event) => {
    onHover(event);
    const last = down.get(event.pointerId);
    if (!last) return;
    if (use === "move") move(view, down, last, event);
    if (use === "wipe") onWipe(event);
    if (use === "tool") {
      for (const point of steps(event)) editor.move(view.toImage(point));
    }
    down.set(event.pointerId, event);
  });

  const up = (event, finish) => {
    if (!down.delete(event.pointerId) || down.size) return;
    if (use === "tool") finish();
    use = "none";
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
