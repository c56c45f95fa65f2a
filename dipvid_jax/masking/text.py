"""Masks of text and subtitles."""

import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.masking.areas import Rectangle
from dipvid_jax.masking.strokes import line_mask
from dipvid_jax.masking.text_detector import TextDetector
from dipvid_jax.media.stacking import stack

# Text is searched in every third frame, and a frame takes the lines of all searched
# frames that are at most so far away: one that is missed in one of them is still found.
_EVERY = 3


def find_text(
  frames: np.ndarray,
  detector: TextDetector,
  *,
  within: Rectangle | None = None,
  on_progress: Callable[[int], None] | None = None,
) -> np.ndarray:
  """Finds the text in every frame.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    detector: of lines of text.
    within: where the text is; None: anywhere.
    on_progress: called with the number of frames just searched, of T.

  Returns:
    `[T, H, W]` bool, True on strokes with their outline, or on the whole line where
    strokes cannot be told from the picture behind them.

  Raises:
    InputError: no frame has text.
  """
  size = frames.shape[1:3]
  part = within.slices(size) if within else (slice(0, size[0]), slice(0, size[1]))
  found: dict[int, list[np.ndarray]] = {}
  for number in range(0, len(frames), _EVERY):
    lines = detector.lines(frames[number][part], side=min(size))
    corner = np.array([part[1].start, part[0].start], np.float32)
    found[number] = [line + corner for line in lines]
    if on_progress:
      on_progress(min(_EVERY, len(frames) - number))
  if not any(found.values()):
    raise InputError(
      "--text: no text found"
      + (" within the rectangle" if within else "")
      + "; mark it with --box"
    )
  return stack(_masks(frames, found, part))


def _masks(
  frames: np.ndarray,
  found: Mapping[int, list[np.ndarray]],
  part: tuple[slice, slice],
) -> Iterator[np.ndarray]:
  """The masks of the lines in and around each frame, cut to a part of the picture."""
  for number, frame in enumerate(frames):
    mask = np.zeros(frame.shape[:2], bool)
    near = range(max(number - _EVERY, 0), number + _EVERY + 1)
    for line in itertools.chain.from_iterable(found.get(n, ()) for n in near):
      mask[part] |= line_mask(frame, line)[part]
    yield mask
