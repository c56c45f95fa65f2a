"""Masks from videos, images and annotations, checked against their video.

In memory a mask is `[T, H, W, 1]` uint8 grey, 255 in the hole; above 127 is hole.
"""

import pathlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media import images, sources, video_reading
from dipvid_jax.media.mask_images import (
  MAX_GREY_LABEL,
  marks,
  read_labels,
  read_marks,
)
from dipvid_jax.media.stacking import stack

HOLE_ABOVE = 127


def read_mask(
  path: pathlib.Path | str,
  *,
  frame_count: int,
  size: tuple[int, int],
  object_id: int | None = None,
  invert: bool = False,
  threshold: int = HOLE_ABOVE,
) -> np.ndarray:
  """Reads the hole of every frame of a video.

  In a video file and in a grey or colour image, the grey value marks the hole, and any
  colour on black. Images whose values are 0 and 1 mark it with 1. A PNG with a palette
  is an annotation like DAVIS's: any number but 0 is hole. (A palette of greys that uses
  white, or does not begin with black, only stores a grey image: its grey values mark
  the hole.) In an image of one colour the alpha channel does.

  Args:
    path: a video file, a folder of images in natural order, or one image for every
      frame.
    frame_count: frames of the video, T.
    size: the video's (H, W).
    object_id: the object number that marks the hole; for PNGs with a palette and for
      grey images of small values (object numbers saved as grey).
    invert: the unmarked pixels are the hole.
    threshold: pixels marked (after inversion) above it are hole, 0 to 254.

  Returns:
    `[T, H, W, 1]` uint8, 255 in the hole. Soft edges of grey masks are kept with the
    threshold of 127; above it is hole.

  Raises:
    InputError: the mask cannot be read, its count or size is not the video's, no
      pixel of any frame is hole, all pixels of all frames are, or no frame holds
      `object_id`.
  """
  path = pathlib.Path(path)
  kind = sources.source_kind(path)
  if object_id is not None and not 1 <= object_id <= 255:
    raise InputError(f"--object {object_id}: object numbers are 1 to 255")
  if kind == "video":
    if object_id is not None:
      raise InputError(
        f"{path}: is a video; --object {object_id} needs images that hold object"
        " numbers (leave it out for a black and white mask)"
      )
    masks = _read_video(path, size)
    _check_count(path, len(masks), frame_count, kind)
  else:
    files = images.list_images(path) if kind == "folder" else [path]
    if kind == "folder":  # before the images are read
      _check_count(path, len(files), frame_count, kind)
    masks = ones_to_white(_read_images(path, files, size, object_id))
  if invert:
    masks = stack(255 - mask for mask in masks)
  check_hole(path, masks, invert=invert, threshold=threshold)
  if threshold != HOLE_ABOVE:
    masks = stack(np.where(mask > threshold, np.uint8(255), 0) for mask in masks)
  if kind == "image":
    masks = np.broadcast_to(masks, (frame_count, *masks.shape[1:]))
  return masks[..., None]


def ones_to_white(masks: np.ndarray) -> np.ndarray:
  """A mask of 0 and 1, as segmentation networks give it, as one of 0 and 255.

  Args:
    masks: `[T, H, W]` or `[T, H, W, 1]` uint8.

  Returns:
    255 times the masks if their largest value is 1, else the masks themselves.
  """
  return stack(255 * mask for mask in masks) if masks.max() == 1 else masks


def dilate(mask: np.ndarray, pixels: int) -> np.ndarray:
  """Grows every frame's hole by a cross-shaped element.

  Args:
    mask: `[T, H, W, 1]`, uint8 or float32; larger values win.
    pixels: length of each arm of the cross, in pixels; 0 changes nothing.

  Returns:
    `[T, H, W, 1]` of the mask's type.

  Raises:
    ValueError: pixels is negative, or the mask is not `[T, H, W, 1]`.
  """
  if pixels < 0:
    raise ValueError(f"pixels must not be negative, got {pixels}")
  if mask.ndim != 4 or mask.shape[3] != 1:
    raise ValueError(f"mask must be [T, H, W, 1], got {list(mask.shape)}")
  if not pixels:
    return mask
  # A cross is a row and a column, and each of them is fast at any length.
  row = np.ones((1, 2 * pixels + 1), np.uint8)
  return stack(
    np.maximum(cv2.dilate(image, row), cv2.dilate(image, row.T))[..., None]
    for image in mask[..., 0]
  )


def _read_video(path: pathlib.Path, size: tuple[int, int]) -> np.ndarray:
  """Reads `[T, H, W]` grey values of a mask video of any length."""

  def grey_frames() -> Iterator[np.ndarray]:
    for frame in video_reading.iter_frames(path):
      _check_size(path, frame.shape, size)
      yield marks(frame)

  return stack(grey_frames())


def _read_images(
  path: pathlib.Path,
  files: list[pathlib.Path],
  size: tuple[int, int],
  object_id: int | None,
) -> np.ndarray:
  """Reads `[len(files), H, W]` grey values, or 255 where `object_id` is."""
  if object_id is None:
    return stack(_each(files, size, read_marks))
  present: set[int] = set()

  def chosen() -> Iterator[np.ndarray]:
    for labels in _each(files, size, read_labels):
      present.update(np.flatnonzero(np.bincount(labels.ravel())).tolist())
      yield np.where(labels == object_id, np.uint8(255), np.uint8(0))

  masks = stack(chosen())
  if object_id not in present:
    numbers = ", ".join(str(number) for number in sorted(present - {0}))
    raise InputError(
      f"{path}: no frame holds object {object_id};"
      + (f" there are {numbers}" if numbers else " there are no objects")
    )
  return masks


def _each(
  files: list[pathlib.Path],
  size: tuple[int, int],
  read: Callable[[pathlib.Path], np.ndarray],
) -> Iterator[np.ndarray]:
  for file in files:
    image = read(file)
    _check_size(file, image.shape, size)
    yield image


def _check_size(
  file: pathlib.Path, shape: tuple[int, ...], size: tuple[int, int]
) -> None:
  if tuple(shape[:2]) != tuple(size):
    raise InputError(
      f"{file}: the mask is {images.format_size(shape)}, the video is"
      f" {images.format_size(size)} (height x width); make them the same size"
    )


def _check_count(path: pathlib.Path, count: int, frame_count: int, kind: str) -> None:
  if count == frame_count:
    return
  remedy = "give one mask for each frame"
  if kind == "folder" and count == 1:
    remedy = "to use one image for the whole clip, give the image file itself"
  frames = "1 frame" if frame_count == 1 else f"{frame_count} frames"
  masks = "1 mask" if count == 1 else f"{count} masks"
  raise InputError(f"{path}: {masks} for a video of {frames}; {remedy}")


def check_hole(
  path: pathlib.Path | str,
  masks: np.ndarray,
  *,
  invert: bool,
  threshold: int = HOLE_ABOVE,
) -> None:
  """Checks that there is something to fill and something to learn from.

  Args:
    path: the masks' path or another name, for the error.
    masks: `[T, H, W]` or `[T, H, W, 1]` uint8, above `threshold` = hole.
    invert: they were inverted on reading.
    threshold: of the hole.

  Raises:
    InputError: no pixel of any frame is hole, or all pixels of all frames are.
  """
  lowest, highest = (int(limit(masks)) for limit in (np.min, np.max))
  if lowest > threshold:
    remedy = (
      "leave out --invert-mask" if invert else "if black is the hole, add --invert-mask"
    )
    raise InputError(
      f"{path}: the hole covers the whole of every frame, which leaves nothing to"
      f" learn from; {remedy}"
      + (", or raise --mask-threshold" if threshold < HOLE_ABOVE else "")
    )
  if highest > threshold:
    return
  if invert:
    reason = "no frame has one after inversion; leave out --invert-mask"
  elif not highest:
    reason = "every frame is black; the hole must be white (255)"
  elif highest <= MAX_GREY_LABEL:
    reason = (
      f"values only up to {highest}; expected 255 in the hole (if these are object"
      " numbers, choose one with --object)"
    )
  else:
    reason = (
      f"values only up to {highest}; expected 255 in the hole, or a --mask-threshold"
      f" below {highest}"
    )
  raise InputError(f"{path}: no hole: {reason}")
