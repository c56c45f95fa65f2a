"""Text: the network's map to lines, lines to strokes, frame to frame."""

import cv2
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.masking import text_detector
from dipvid_jax.masking.areas import Rectangle
from dipvid_jax.masking.strokes import find_strokes, line_mask
from dipvid_jax.masking.text import find_text
from dipvid_jax.masking.text_detector import TextDetector, find_text_model
from tests.support.synthetic import texture
from tests.support.tiny_onnx import write_white_detector

_SIZE = (120, 240)


@pytest.fixture
def detector(tmp_path, monkeypatch):
  monkeypatch.setattr(text_detector, "_SIDE", 2 * _SIZE[0])  # quicker
  return TextDetector(write_white_detector(tmp_path / "net.onnx"))


def background(height=_SIZE[0], width=_SIZE[1]):
  """`[height, width, 3]` uint8, a texture without white."""
  return np.rint(60 + 90 * texture(height, width)).astype(np.uint8)


def written(frame, text="subtitles", corner=(20, 100), scale=0.8):
  """The frame with white letters in a dark outline, and all that they changed."""
  picture, shape = frame.copy(), np.zeros(frame.shape[:2], np.uint8)
  for colour, width in ((0, 5), (255, 2)):
    for image, value in ((picture, (colour,) * 3), (shape, 255)):
      cv2.putText(
        image, text, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, value, width, cv2.LINE_AA
      )
  return picture, shape > 0


class Listed:
  """A detector that knows the lines of frames by their number in the top left pixel."""

  def __init__(self, lines):
    self._lines = lines
    self.asked = []

  def lines(self, picture, *, side):
    self.asked.append((int(picture[0, 0, 0]), picture.shape[:2], side))
    return self._lines.get(int(picture[0, 0, 0]), [])


def test_a_line_is_found_where_it_is(detector):
  picture, changed = written(background())
  (line,) = detector.lines(picture, side=min(_SIZE))
  y, x = np.nonzero(changed)
  assert line[:, 0].min() <= x.min() and line[:, 0].max() >= x.max()
  assert line[:, 1].min() <= y.min() and line[:, 1].max() >= y.max()
  assert line[:, 0].min() > x.min() - 20 and line[:, 1].min() > y.min() - 20
  assert detector.lines(background(), side=min(_SIZE)) == []


def test_every_frame_gets_its_text(detector):
  frames = np.stack([written(background())[0]] * 4)
  masks = find_text(frames, detector)
  assert masks.shape == (4, *_SIZE) and masks.dtype == bool
  assert (masks & written(background())[1]).sum() > 0.99 * masks.shape[0] * (
    written(background())[1].sum()
  )


def around(changed, margin=4):
  """The corners of a line that has these pixels, `[4, 2]` float32."""
  y, x = np.nonzero(changed)
  left, right = x.min() - margin, x.max() + margin
  top, bottom = y.min() - margin, y.max() + margin
  corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
  return np.array(corners, np.float32)


def test_strokes_are_masked_and_what_is_between_them_is_not():
  picture, changed = written(background(), scale=1.3)
  line = around(changed, margin=10)  # as the network gives it
  mask = line_mask(picture, line)
  assert mask[changed].mean() > 0.99
  assert mask.sum() < 0.8 * cv2.contourArea(line)


def test_text_is_searched_within_the_rectangle_alone(detector):
  picture, changed = written(background(), "below")
  picture, _ = written(picture, "above", (20, 40))
  masks = find_text(picture[None], detector, within=Rectangle(0, 64, 240, 56))
  assert masks[0][changed].mean() > 0.99
  assert not masks[0][:64].any()


def test_a_line_is_kept_where_one_search_missed_it():
  frames = np.zeros((10, 24, 40, 3), np.uint8)
  frames[..., 0] = np.arange(10)[:, None, None]
  line = np.array([[4, 4], [30, 4], [30, 12], [4, 12]], np.float32)
  detector = Listed({3: [line], 9: [line]})
  steps = []
  masks = find_text(frames, detector, on_progress=steps.append)
  assert [number for number, _, _ in detector.asked] == [0, 3, 6, 9]
  assert masks.any(axis=(1, 2)).tolist() == [True] * 10
  assert sum(steps) == 10
  assert masks[0][4:13, 4:31].all()  # no strokes: the whole line


def test_the_scale_is_that_of_the_frame_also_within_a_rectangle():
  detector = Listed({0: [np.array([[0, 0], [9, 0], [9, 9], [0, 9]], np.float32)]})
  frames = np.zeros((1, 24, 40, 3), np.uint8)
  masks = find_text(frames, detector, within=Rectangle(10, 4, 20, 12))
  assert detector.asked == [(0, (12, 20), 24)]
  assert masks[0, 4:14, 10:20].all() and masks.sum() == 100


def test_without_text_there_is_one_line(detector):
  with pytest.raises(InputError, match="no text found; mark it with --box"):
    find_text(background()[None], detector)


def test_a_line_is_masked_whole_where_letters_cannot_be_told():
  picture, changed = written(background(), scale=1.3)
  line = around(changed)
  assert find_strokes(picture, line) is not None
  half_hidden = picture.copy()
  half_hidden[:, 80:115] = 255  # white behind one of the white letters
  assert find_strokes(half_hidden, line) is None
  mask = line_mask(half_hidden, line)
  assert mask.sum() == pytest.approx(cv2.contourArea(line), rel=0.05)


def test_a_line_beyond_the_picture_is_cut():
  line = np.array([[-9, -9], [5, -9], [5, 5], [-9, 5]], np.float32)
  assert line_mask(background(20, 20), line)[:6, :6].all()
  assert not line_mask(background(20, 20), line - 30).any()


@pytest.mark.parametrize("content", [b"", b"no network", None])
def test_a_file_that_is_no_network_is_one_line(tmp_path, content):
  path = tmp_path / "bad.onnx"
  if content is not None:
    path.write_bytes(content)
  with pytest.raises(InputError, match=r"--text-model .*bad\.onnx: ") as error:
    TextDetector(path)
  assert "\n" not in str(error.value)


def test_a_missing_package_is_one_line_with_the_command(monkeypatch):
  monkeypatch.setattr(text_detector, "_PACKAGE", "no_such_package")
  with pytest.raises(InputError, match="pip install --no-deps") as error:
    find_text_model()
  assert "--text-model" in str(error.value)


def test_the_real_network_finds_a_subtitle():
  try:
    path = find_text_model()
  except InputError as error:
    pytest.skip(str(error))
  picture, changed = written(background(240, 432), "Hello there, world", (60, 200))
  masks = find_text(picture[None], TextDetector(path))
  assert masks[0][changed].mean() > 0.99
