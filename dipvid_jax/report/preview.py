"""One picture of a run: input, flows, generated frames and result."""

import cv2
import numpy as np

from dipvid_jax.media.pixels import to_levels

_COLUMNS = 5
_LABEL_HEIGHT = 22
_HOLE_TINT = np.array([255, 0, 0], np.float32)


def flow_colours(flow: np.ndarray, *, largest: float) -> np.ndarray:
  """Colours a flow: the hue is its direction, the value its magnitude.

  Args:
    flow: `[H, W, 2]` float, (dx, dy).
    largest: the magnitude at full value.

  Returns:
    `[H, W, 3]` uint8 RGB.
  """
  dx, dy = flow[..., 0], flow[..., 1]
  hue = (np.degrees(np.arctan2(dy, dx)) % 360) / 2  # OpenCV's hue ends at 180
  value = 255 * np.clip(np.hypot(dx, dy) / max(largest, 1e-6), 0, 1)
  hsv = np.stack([hue, np.full_like(hue, 255), value], axis=-1)
  return cv2.cvtColor(np.rint(hsv).astype(np.uint8), cv2.COLOR_HSV2RGB)


def mark_hole(frame: np.ndarray, hole_mask: np.ndarray) -> np.ndarray:
  """Tints the hole red.

  Args:
    frame: `[H, W, 3]` uint8 RGB.
    hole_mask: `[H, W, 1]` float, 1 = hole.

  Returns:
    `[H, W, 3]` uint8 RGB.
  """
  tinted = 0.4 * frame + 0.6 * _HOLE_TINT
  return np.where(hole_mask > 0, tinted, frame).astype(np.uint8)


def preview_image(
  frames: np.ndarray,
  hole_masks: np.ndarray,
  full: np.ndarray,
  stitched: np.ndarray,
  *,
  known_flow: np.ndarray | None = None,
  generated_flow: np.ndarray | None = None,
) -> np.ndarray:
  """Shows five frames spread over the clip, with one row per stage.

  Args:
    frames, full, stitched: `[T, H, W, 3]` float RGB in [0, 1].
    hole_masks: `[T, H, W, 1]` float, 1 = hole.
    known_flow: `[T-t, H, W, 2]` forward flow at the first stride, pixels.
    generated_flow: `[T, H, W, 2]`, the network's flow at the same stride, pixels.

  Returns:
    `[rows, columns, 3]` uint8 RGB.
  """
  picked = np.unique(np.linspace(0, len(frames) - 1, _COLUMNS).round().astype(int))
  rows = {
    "input, the hole marked": [
      mark_hole(to_levels(frames[i]), hole_masks[i]) for i in picked
    ]
  }
  if known_flow is not None and generated_flow is not None:
    # The last frames have no known forward flow: show the nearest pair's.
    pairs = np.minimum(picked, len(known_flow) - 1)
    magnitudes = np.linalg.norm(known_flow[pairs], axis=-1)
    largest = float(np.percentile(magnitudes, 99.5))
    rows |= {
      f"known flow, full value = {largest:.1f} px": [
        flow_colours(known_flow[i], largest=largest) for i in pairs
      ],
      "generated flow, same scale": [
        flow_colours(generated_flow[i], largest=largest) for i in pairs
      ],
    }
  rows |= {
    "generated frame": [to_levels(full[i]) for i in picked],
    "result: generated in the hole, input elsewhere": [
      to_levels(stitched[i]) for i in picked
    ],
  }
  strips = []
  for label, pictures in rows.items():
    strip = np.concatenate(pictures, axis=1)
    strips += [_label(f"{label}  (frames {', '.join(map(str, picked))})", strip), strip]
  return np.concatenate(strips)


def _label(text: str, strip: np.ndarray) -> np.ndarray:
  """A white band with a text, as wide as a strip."""
  band = np.full((_LABEL_HEIGHT, strip.shape[1], 3), 255, np.uint8)
  font, black = cv2.FONT_HERSHEY_SIMPLEX, (0, 0, 0)
  return cv2.putText(band, text, (6, 16), font, 0.5, black, 1, cv2.LINE_AA)
