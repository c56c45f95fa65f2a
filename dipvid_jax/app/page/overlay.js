// Label maps as colours over the frame: objects, what dilation adds, and hints.

const COLOURS = [
  [255, 64, 96],
  [48, 160, 255],
  [255, 190, 40],
  [60, 200, 120],
  [190, 110, 255],
  [255, 125, 50],
  [60, 210, 210],
  [240, 130, 200],
];
const EXCLUDED = 255;
const [INSIDE, GROWN, HINT] = [140, 90, 235]; // opacity of 255

/** `[r, g, b]` of object 1, 2, ...; after the last colour the first comes again. */
export const colourOf = (object) => COLOURS[(object - 1) % COLOURS.length];

/** Marks what a cross with arms of `pixels` adds: 1 inside the grown mask.
 *
 * The same element as `dipvid_jax.media.masks.dilate`. */
export function dilate(values, width, height, pixels) {
  const grown = new Uint8Array(width * height);
  const sweep = (start, step, count) => {
    let since = Infinity; // pixels since the mask was last met
    for (let i = 0, at = start; i < count; i++, at += step) {
      since = values[at] ? 0 : since + 1;
      if (since <= pixels) grown[at] = 1;
    }
  };
  for (let y = 0; y < height; y++) {
    sweep(y * width, 1, width);
    sweep(y * width + width - 1, -1, width);
  }
  for (let x = 0; x < width; x++) {
    sweep(x, width, height);
    sweep((height - 1) * width + x, -width, height);
  }
  return grown;
}

const packed = ([red, green, blue], opacity) =>
  ((opacity << 24) | (blue << 16) | (green << 8) | red) >>> 0; // RGBA, little-endian

const WHITE = [255, 255, 255];
const BLACK = [20, 20, 20];
const OF_OBJECT = Uint32Array.from({ length: 256 }, (_, k) =>
  k ? packed(colourOf(k), INSIDE) : 0,
);

/** Draws labels and hints into `canvas`, which becomes as large as the frame.
 *
 * `labels` and `strokes` are planes of one frame. */
export function paintOverlay(canvas, labels, strokes, dilation) {
  const { values, width, height } = labels;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const grown = dilation ? dilate(values, width, height, dilation) : null;
  const around = packed(WHITE, GROWN);
  for (let i = 0; i < values.length; i++) {
    if (values[i]) pixels[i] = OF_OBJECT[values[i]];
    else if (grown && grown[i]) pixels[i] = around;
  }
  drawHints(pixels, strokes);
  context.putImageData(image, 0, 0);
}

/** Hints are striped, so that they differ from painted pixels without colour. */
function drawHints(pixels, { values, width }) {
  for (let i = 0; i < values.length; i++) {
    const hint = values[i];
    if (!hint) continue;
    const light = ((i % width) + Math.floor(i / width)) % 4 < 2;
    const colour = hint === EXCLUDED ? BLACK : colourOf(hint);
    pixels[i] = packed(light ? WHITE : colour, HINT);
  }
}
