"""One image of a mask: which of its pixels are marked, and which objects it numbers.

Masks are drawn in many ways: grey, a palette of object numbers, objects in colours, or
white strokes whose alpha channel says where they are.
"""

import pathlib

import cv2
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media import images

# A grey image without a value above this holds object numbers. Video annotations have
# about ten objects; a mask has 255.
MAX_GREY_LABEL = 20
_MIDDLE = 127  # a palette of greys that goes no further numbers objects
_COLOURED = 48  # levels between the largest and the smallest channel of a colour
_BLACK = 24  # levels up to which compressed black goes


def read_marks(file: pathlib.Path) -> np.ndarray:
  """Reads how far each pixel of a mask image is marked.

  Args:
    file: grey values or colours, see `marks`; or a PNG with a palette, whose objects
      are marked alike (unless the palette only stores a grey image); or an image of one
      colour whose alpha channel differs, which then is the mask.

  Returns:
    `[H, W]` uint8, 255 = marked.

  Raises:
    InputError: the file cannot be read, or has both colours and an alpha channel.
  """
  indexed = images.read_indexed_png(file)
  if indexed is None:
    return marks(_without_alpha(file, images.read_channels(file)))
  if _holds_greys(indexed):
    return indexed.palette[indexed.indices, 0]
  return np.where(indexed.indices > 0, np.uint8(255), np.uint8(0))


def marks(image: np.ndarray) -> np.ndarray:
  """How far each pixel is marked, by its grey value or by being coloured.

  Colours on black are objects, and all of them are marked: red is as much an object as
  green, though its grey value is 76. On any other background the grey value decides.

  Args:
    image: `[H, W]` uint8 grey or `[H, W, 3]` uint8 RGB.

  Returns:
    `[H, W]` uint8.
  """
  if image.ndim == 2:
    return image
  grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
  largest, smallest = image.max(axis=-1), image.min(axis=-1)
  coloured = largest - smallest >= _COLOURED
  if not coloured.any() or largest.min() > _BLACK:
    return grey
  return np.where(coloured, np.uint8(255), grey)


def read_labels(file: pathlib.Path) -> np.ndarray:
  """Reads the object numbers of one annotation.

  Args:
    file: a PNG with a palette, or a grey image of small values.

  Returns:
    `[H, W]` uint8.

  Raises:
    InputError: the file cannot be read or holds no object numbers.
  """
  indexed = images.read_indexed_png(file)
  if indexed is not None:
    return indexed.indices
  image = images.read_image(file)
  if image.ndim == 3 or image.max() > MAX_GREY_LABEL:
    held = "colours" if image.ndim == 3 else f"grey values up to {image.max()}"
    raise InputError(
      f"{file}: holds {held}, not object numbers; leave out --object to fill all that"
      " is marked, or give PNGs with a palette (DAVIS annotations)"
    )
  return image


def read_numbers(file: pathlib.Path) -> np.ndarray | None:
  """Reads the object numbers of a mask image, if it holds any.

  Args:
    file: as for `read_marks`.

  Returns:
    `[H, W]` uint8 from a PNG with a palette (unless that only stores a grey image) or
    a grey image of small values; None for any other image.

  Raises:
    InputError: the file cannot be read.
  """
  indexed = images.read_indexed_png(file)
  if indexed is not None:
    return None if _holds_greys(indexed) else indexed.indices
  image = images.read_channels(file)
  return image if image.ndim == 2 and image.max() <= MAX_GREY_LABEL else None


def _without_alpha(file: pathlib.Path, image: np.ndarray) -> np.ndarray:
  """The image itself, or its alpha channel over a single colour."""
  if image.ndim == 2 or image.shape[2] == 3:
    return image
  colours, alpha = image[..., :3], image[..., 3]
  shown = colours[alpha > 0]
  if len(shown) and (alpha != alpha.flat[0]).any() and (shown == shown[0]).all():
    return alpha
  raise InputError(
    f"{file}: has an alpha channel and colours, so it does not say what is marked; save"
    " the mask as a grey file, 255 in the hole"
  )


def _holds_greys(image: images.IndexedImage) -> bool:
  """Whether the palette only stores a grey image, not object numbers."""
  palette = image.palette
  if (palette != palette[:, :1]).any():
    return False
  return bool(palette[0, 0] > 0 or palette[image.indices, 0].max() > _MIDDLE)
