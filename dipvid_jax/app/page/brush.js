// What a brush and a box cover, in image pixels. Nothing here knows of the screen.

/** The middle of a brush of `size` pixels nearest to image point (x, y): a pixel's
 * middle for odd sizes, a corner for even ones, so that it lies evenly on pixels. */
export function snap(x, y, size) {
  if (size % 2) return [Math.floor(x) + 0.5, Math.floor(y) + 0.5];
  return [Math.round(x), Math.round(y)];
}

/** The rectangle `{x, y, width, height}` of whole pixels, cut to the image. */
function bounded(left, top, right, bottom, width, height) {
  const x = Math.max(0, left);
  const y = Math.max(0, top);
  return {
    x,
    y,
    width: Math.max(0, Math.min(width, right) - x),
    height: Math.max(0, Math.min(height, bottom) - y),
  };
}

/** Paints the pixels whose middle is within `size / 2` of the line from a to b.
 *
 * `plane` is `{values, width, height}`; returns the rectangle that may have changed. */
export function stroke(plane, a, b, size, value) {
  const reach = size / 2;
  const area = bounded(
    Math.floor(Math.min(a[0], b[0]) - reach),
    Math.floor(Math.min(a[1], b[1]) - reach),
    Math.ceil(Math.max(a[0], b[0]) + reach),
    Math.ceil(Math.max(a[1], b[1]) + reach),
    plane.width,
    plane.height,
  );
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const length2 = dx * dx + dy * dy || 1;
  for (let y = area.y; y < area.y + area.height; y++) {
    for (let x = area.x; x < area.x + area.width; x++) {
      const [px, py] = [x + 0.5 - a[0], y + 0.5 - a[1]];
      const along = Math.min(1, Math.max(0, (px * dx + py * dy) / length2));
      const [ex, ey] = [px - along * dx, py - along * dy];
      if (ex * ex + ey * ey <= reach * reach) {
        plane.values[y * plane.width + x] = value;
      }
    }
  }
  return area;
}

/** The whole pixels between two image points, both of their pixels included. */
export function boxBetween(a, b, width, height) {
  return bounded(
    Math.floor(Math.min(a[0], b[0])),
    Math.floor(Math.min(a[1], b[1])),
    Math.floor(Math.max(a[0], b[0])) + 1,
    Math.floor(Math.max(a[1], b[1])) + 1,
    width,
    height,
  );
}

/** Fills a rectangle and returns it. */
export function fill(plane, area, value) {
  for (let y = area.y; y < area.y + area.height; y++) {
    const start = y * plane.width + area.x;
    plane.values.fill(value, start, start + area.width);
  }
  return area;
}

export function union(one, other) {
  if (!one || !one.width || !one.height) return other;
  if (!other || !other.width || !other.height) return one;
  const x = Math.min(one.x, other.x);
  const y = Math.min(one.y, other.y);
  const right = Math.max(one.x + one.width, other.x + other.width);
  const bottom = Math.max(one.y + one.height, other.y + other.height);
  return { x, y, width: right - x, height: bottom - y };
}

/** A copy of the values in a rectangle of `plane`, and the way back. */
export function cut(values, width, area) {
  const piece = new Uint8Array(area.width * area.height);
  for (let y = 0; y < area.height; y++) {
    const start = (area.y + y) * width + area.x;
    piece.set(values.subarray(start, start + area.width), y * area.width);
  }
  return piece;
}

export function paste(plane, area, piece) {
  for (let y = 0; y < area.height; y++) {
    const row = piece.subarray(y * area.width, (y + 1) * area.width);
    plane.values.set(row, (area.y + y) * plane.width + area.x);
  }
}
