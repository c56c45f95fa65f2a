// Masks as 8-bit grey PNG, read and written here: a canvas may change values on the
// way (colour management, noise against fingerprinting), and a mask must not change.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) {
    value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  }
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value = CRC_TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  }
  return ~value >>> 0;
}

/** A chunk of a PNG: length, kind, data, checksum. */
function chunk(kind, data) {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(kind), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

async function through(transform, bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(transform);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A Blob of `width * height` values 0..255, row after row. */
export async function encodeGrey(values, width, height) {
  const rows = new Uint8Array((width + 1) * height); // each row begins with filter 0
  for (let y = 0; y < height; y++) {
    rows.set(values.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 0, 0, 0, 0], 8); // 8 bits, grey, deflate, filters, not interlaced
  const data = await through(new CompressionStream("deflate"), rows);
  const parts = [
    new Uint8Array(SIGNATURE),
    chunk("IHDR", header),
    chunk("IDAT", data),
    chunk("IEND", new Uint8Array(0)),
  ];
  return new Blob(parts, { type: "image/png" });
}

/** `{values, width, height}` of an 8-bit grey PNG (ArrayBuffer); others throw. */
export async function decodeGrey(buffer) {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  if (SIGNATURE.some((byte, i) => bytes[i] !== byte)) throw new Error("not a PNG");
  let width = 0;
  let height = 0;
  const data = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (kind === "IHDR") {
      width = view.getUint32(at + 8);
      height = view.getUint32(at + 12);
      const [depth, colour, , , interlaced] = bytes.subarray(at + 16, at + 21);
      if (depth !== 8 || colour !== 0 || interlaced) {
        throw new Error("a mask must be an 8-bit grey PNG");
      }
    } else if (kind === "IDAT") {
      data.push(bytes.subarray(at + 8, at + 8 + length));
    }
    at += 12 + length;
  }
  const rows = await through(new DecompressionStream("deflate"), await join(data));
  if (rows.length !== (width + 1) * height) throw new Error("a mask is cut short");
  return { values: unfilter(rows, width, height), width, height };
}

async function join(parts) {
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** Undoes the row filters of the PNG specification, for one byte a pixel. */
function unfilter(rows, width, height) {
  const values = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (width + 1)];
    const row = y * width;
    for (let x = 0; x < width; x++) {
      const left = x ? values[row + x - 1] : 0;
      const up = y ? values[row + x - width] : 0;
      const corner = x && y ? values[row + x - width - 1] : 0;
      const predicted = predict(filter, left, up, corner);
      values[row + x] = rows[y * (width + 1) + 1 + x] + predicted;
    }
  }
  return values;
}

function predict(filter, left, up, corner) {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  if (filter !== 4) throw new Error(`PNG filter ${filter} is unknown`);
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
