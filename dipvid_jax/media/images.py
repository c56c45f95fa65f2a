"""One image file as an array, and a folder of them in natural order.

Arrays are uint8, `[H, W]` grey or `[H, W, 3]` RGB.
"""

import contextlib
import dataclasses
import io
import pathlib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import ChunkStream, PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from dipvid_jax.errors import InputError
from dipvid_jax.media import sources
from dipvid_jax.storage import atomic

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_JPEG_MAGIC = b"\xff\xd8"
_FORMATS: dict[bytes, Callable[[io.BytesIO], ImageFile]] = {
  _PNG_MAGIC: PngImageFile,
  _JPEG_MAGIC: JpegImageFile,
  b"BM": BmpImageFile,
  b"RIFF": WebPImageFile,
  b"II*\0": TiffImageFile,
  b"MM\0*": TiffImageFile,
}


@dataclasses.dataclass(frozen=True)
class IndexedImage:
  """An image whose pixels are colour numbers.

  Attributes:
    indices: `[H, W]` uint8.
    palette: `[256, 3]` uint8 RGB; black beyond the file's own colours.
  """

  indices: np.ndarray
  palette: np.ndarray


def list_images(folder: pathlib.Path) -> list[pathlib.Path]:
  """Lists a folder's images in natural order (frame2 before frame10).

  Hidden files, other kinds of file and subfolders are skipped.

  Raises:
    InputError: the folder cannot be read, holds no image, or holds two images of
      one name (00000.jpg beside 00000.png: frames mixed with masks).
  """
  try:
    images = [
      path
      for path in folder.iterdir()
      if path.suffix.lower() in sources.IMAGE_SUFFIXES
      and not path.name.startswith(".")
      and not path.is_dir()
    ]
  except OSError as error:
    raise InputError(f"{folder}: {sources.os_reason(error)}") from error
  if not images:
    raise InputError(f"{folder}: no images in this folder (png, jpg, bmp, tif or webp)")
  by_stem: dict[str, pathlib.Path] = {}
  for path in images:
    twin = by_stem.setdefault(path.stem, path)
    if twin is not path:
      first, second = sorted((twin.name, path.name))
      raise InputError(
        f"{folder}: holds both {first} and {second}; keep frames and masks in"
        " separate folders"
      )
  return sorted(images, key=_natural_key)


def _natural_key(path: pathlib.Path) -> tuple[list[str | int], str]:
  # Splitting at digits alternates text and number, so the keys always compare.
  parts = re.split(r"(\d+)", path.stem)
  return [int(p) if i % 2 else p for i, p in enumerate(parts)], path.name


def read_image(path: pathlib.Path) -> np.ndarray:
  """Reads an 8-bit image.

  A JPEG is turned upright according to its EXIF orientation. An alpha channel that is
  opaque everywhere is left out.

  Returns:
    `[H, W]` uint8 grey or `[H, W, 3]` uint8 RGB.

  Raises:
    InputError: the file cannot be read, is damaged or not an image, has pixels that
      are not opaque, or has more than 8 bits per sample.
  """
  image = read_channels(path)
  if image.ndim == 3 and image.shape[2] != 3:
    raise InputError(
      f"{path}: has an alpha channel; save it without one (a mask belongs in a"
      " separate grey file, 255 in the hole)"
    )
  return image


def read_channels(path: pathlib.Path) -> np.ndarray:
  """Reads an 8-bit image with its alpha channel, if any of it is not opaque.

  Returns:
    `[H, W]` uint8 grey, `[H, W, 3]` RGB, or `[H, W, 4]` RGB and alpha.

  Raises:
    InputError: the file cannot be read, is damaged or not an image, or has more than 8
      bits per sample.
  """
  image = _decode(path, _read_bytes(path))
  if image.dtype != np.uint8:
    raise InputError(
      f"{path}: has samples of type {image.dtype}; convert it to 8 bits per channel"
    )
  if image.ndim == 2:
    return image
  if image.shape[2] == 4 and image[..., 3].min() < 255:
    return cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA)
  return cv2.cvtColor(image[..., :3], cv2.COLOR_BGR2RGB)


def read_indexed_png(path: pathlib.Path) -> IndexedImage | None:
  """Reads the palette and the colour numbers of an indexed PNG.

  Returns:
    The image; None for any other kind of file.

  Raises:
    InputError: the file cannot be read or is damaged.
  """
  data = _read_bytes(path)
  if not data.startswith(_PNG_MAGIC) or b"PLTE" not in _check_png(path, data):
    return None
  # OpenCV would replace the numbers with their colours.
  with _damage_in_one_line(path):
    image = PngImageFile(io.BytesIO(data))
    if image.mode != "P":  # its palette is only a suggestion
      return None
    sources.check_size(path, (image.height, image.width), len(data))
    indices = np.array(image)
  palette = np.zeros((256, 3), np.uint8)
  colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
  palette[: len(colours)] = colours
  return IndexedImage(indices=indices, palette=palette)


def iter_folder(folder: pathlib.Path) -> Iterator[np.ndarray]:
  """Reads a folder of images as the frames of a clip.

  Yields:
    `[H, W, 3]` uint8 RGB, all of one size; grey images become RGB.

  Raises:
    InputError: see `list_images` and `read_image`; or the images differ in size.
  """
  shape = None
  for path in list_images(folder):
    image = read_image(path)
    if image.ndim == 2:
      image = np.repeat(image[:, :, None], 3, axis=2)
    shape = shape or image.shape
    if image.shape != shape:
      raise InputError(
        f"{path}: is {format_size(image.shape)}, the images before it are"
        f" {format_size(shape)} (height x width)"
      )
    yield image


def frame_path(folder: pathlib.Path, number: int) -> pathlib.Path:
  """The path that `write_images` gives to one frame."""
  return folder / f"{number:05d}.png"


def write_images(
  folder: pathlib.Path | str, frames: Iterable[np.ndarray], *, first: int = 0
) -> None:
  """Writes frames as 00000.png, 00001.png, ...

  A file appears under its name only once it is complete. Other files in the folder
  are left alone.

  Args:
    folder: created if it is missing.
    frames: `[H, W, 3]` uint8 RGB, at least one; written as they come.
    first: number of the first frame.

  Raises:
    ValueError: a frame has another type or shape, or there is none.
    OSError: the folder cannot be written to.
  """
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  count = 0
  for frame in frames:
    check_frames(frame[None])
    write_image(frame_path(folder, first + count), frame)
    count += 1
  if not count:
    raise ValueError("there are no frames to write")


def write_image(path: pathlib.Path, image: np.ndarray) -> None:
  """Writes one PNG, which appears under its name only once it is complete.

  Args:
    path: the file; replaced if it exists.
    image: `[H, W, 3]` uint8 RGB, or `[H, W]` uint8 grey.

  Raises:
    OSError: the file cannot be written.
  """
  ordered = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
  _, data = cv2.imencode(".png", ordered)
  with atomic.replacing(path) as partial:
    partial.write_bytes(data.tobytes())


def check_frames(frames: np.ndarray) -> None:
  """Raises a ValueError unless frames are `[T, H, W, 3]` uint8, T at least 1."""
  if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
    raise ValueError(
      f"frames must be [T, H, W, 3] uint8, got {frames.dtype} {list(frames.shape)}"
    )
  if not frames.size:
    raise ValueError(f"frames are empty: {list(frames.shape)}")


def format_size(shape: tuple[int, ...]) -> str:
  """A shape that begins with (H, W) as `HEIGHTxWIDTH`, the form that `--size` takes."""
  return f"{shape[0]}x{shape[1]}"


def _read_bytes(path: pathlib.Path) -> bytes:
  try:
    data = path.read_bytes()
  except OSError as error:
    raise InputError(f"{path}: {sources.os_reason(error)}") from error
  if not data:
    raise InputError(f"{path}: the file is empty (0 bytes)")
  return data


def _decode(path: pathlib.Path, data: bytes) -> np.ndarray:
  """Decodes to OpenCV's layouts: grey, BGR or BGRA of any sample type."""
  _check_size(path, data)
  if data.startswith(_PNG_MAGIC):
    _check_png(path, data)
  # IMREAD_UNCHANGED is the one flag that keeps alpha, and that ignores orientation.
  if data.startswith(_JPEG_MAGIC):
    _check_jpeg(path, data)
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
  else:
    flags = cv2.IMREAD_UNCHANGED
  try:
    with _quiet_opencv():
      image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
  except cv2.error as error:
    raise _damaged(path) from error
  if image is None:
    raise _damaged(path)
  return image


def _damaged(path: pathlib.Path) -> InputError:
  return InputError(f"{path}: cannot be read as an image; it is damaged or not one")


def _check_size(path: pathlib.Path, data: bytes) -> None:
  """Checks the size in a header before memory is taken for it."""
  kinds = [kind for magic, kind in _FORMATS.items() if data.startswith(magic)]
  try:
    with _damage_in_one_line(path):
      sizes = [kind(io.BytesIO(data)).size for kind in kinds]
  except InputError:
    return  # OpenCV says what is wrong, or knows this kind of TIFF
  for width, height in sizes:
    sources.check_size(path, (height, width), len(data))


def _check_png(path: pathlib.Path, data: bytes) -> list[bytes]:
  """Checks that a PNG's chunks are complete and intact; returns their names.

  Without the check, libpng prints messages about damage.
  """
  with _damage_in_one_line(path):
    chunks = ChunkStream(io.BytesIO(data[len(_PNG_MAGIC) :]))
    names = chunks.verify()
    chunks.crc(b"IEND", b"")  # `verify` stops before it
    return names


def _check_jpeg(path: pathlib.Path, data: bytes) -> None:
  """Checks that no pixels of a JPEG are missing.

  Older OpenCV fills in grey. It still does the decoding: Pillow rounds CMYK otherwise.
  """
  with _damage_in_one_line(path):
    image = JpegImageFile(io.BytesIO(data))
    image.draft(None, (1, 1))  # an eighth of the size: as strict, four times faster
    image.load()


@contextlib.contextmanager
def _damage_in_one_line(path: pathlib.Path) -> Iterator[None]:
  """Turns Pillow's errors into one line; its warnings are about unused metadata.

  Call the classes of the formats in it, not `Image.open`, which refuses images of
  more than 180 million pixels.
  """
  try:
    with warnings.catch_warnings():
      warnings.simplefilter("ignore")
      yield
  except (OSError, SyntaxError, ValueError) as error:
    raise _damaged(path) from error


@contextlib.contextmanager
def _quiet_opencv() -> Iterator[None]:
  """Keeps OpenCV's messages about a bad file off the terminal; ours replace them."""
  # OpenCV 5 moved these two functions.
  log: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
  level = log.getLogLevel()
  log.setLogLevel(0)
  try:
    yield
  finally:
    log.setLogLevel(level)
