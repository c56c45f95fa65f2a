"""Painted frames: from files as editors save them to object numbers."""

import cv2
import numpy as np
import pytest
from PIL import Image

from dipvid_jax.errors import InputError
from dipvid_jax.masking.object_colours import COLOURS, number_of_colour, write_objects
from dipvid_jax.masking.painted import list_painted, read_painted
from dipvid_jax.media.images import write_image

_SIZE = (12, 20)


def shape(rows, columns, value=1):
  labels = np.zeros(_SIZE, np.uint8)
  labels[slice(*rows), slice(*columns)] = value
  return labels


_ONE, _OTHER = shape((2, 6), (3, 9)), shape((7, 10), (11, 18))


def read(**files):
  return read_painted(
    {int(name[1:]): path for name, path in files.items()}, frame_count=9, size=_SIZE
  )


def test_black_and_white_is_one_object(tmp_path):
  write_image(tmp_path / "white.png", 255 * _ONE)
  write_image(tmp_path / "ones.png", _ONE)
  soft = cv2.GaussianBlur(255 * _ONE, (3, 3), 0)
  cv2.imwrite(str(tmp_path / "soft.png"), np.repeat(soft[..., None], 3, axis=2))
  colours = np.dstack([np.full(_SIZE, 200, np.uint8)] * 3 + [255 * _ONE])
  cv2.imwrite(str(tmp_path / "alpha.png"), colours)
  write_image(tmp_path / "none.png", np.zeros(_SIZE, np.uint8))
  names = ("white", "ones", "soft", "alpha")
  painted = read(**{f"f{n}": tmp_path / f"{name}.png" for n, name in enumerate(names)})
  assert all((painted[n] == _ONE).all() for n in (0, 1, 3))
  assert (painted[2] == (soft > 127)).all()
  assert not read(f4=tmp_path / "none.png")[4].any()


def test_numbers_come_from_palettes_greys_and_colours(tmp_path):
  labels = _ONE + 3 * _OTHER
  write_objects(tmp_path / "palette.png", labels)
  write_image(tmp_path / "grey.png", labels)
  ours = np.array(COLOURS, np.uint8)
  write_image(tmp_path / "saved_as_rgb.png", ours[labels])
  painted = read(
    f0=tmp_path / "palette.png",
    f1=tmp_path / "grey.png",
    f2=tmp_path / "saved_as_rgb.png",
  )
  assert all((image == labels).all() for image in painted.values())
  shown = Image.open(tmp_path / "palette.png").convert("RGB")
  assert (np.array(shown) == ours[labels]).all()


def test_colours_of_the_user_are_numbered_alike_in_all_frames(tmp_path):
  red, white = np.array([250, 20, 20]), np.array([255, 255, 255])
  first = _ONE[..., None] * red
  second = _ONE[..., None] * white + _OTHER[..., None] * red
  write_image(tmp_path / "3.png", first.astype(np.uint8))
  write_image(tmp_path / "00007.png", second.astype(np.uint8))
  painted = read_painted(list_painted(tmp_path), frame_count=9, size=_SIZE)
  assert (painted[3] == _ONE).all() and (painted[7] == 254 * _ONE + _OTHER).all()
  assert number_of_colour((0, 0, 0)) == 0 and number_of_colour((90, 90, 250)) > 1
  assert [number_of_colour(colour) for colour in COLOURS[:-1]] == list(range(255))


def test_a_soft_brush_in_colour_is_one_object(tmp_path):
  big = np.zeros((60, 60, 3), np.uint8)
  cv2.circle(big, (30, 30), 18, (0, 40, 255), -1, cv2.LINE_AA)
  cv2.circle(big, (8, 8), 6, (255, 40, 0), -1, cv2.LINE_AA)
  cv2.imwrite(str(tmp_path / "1.png"), big)
  painted = read_painted({1: tmp_path / "1.png"}, frame_count=2, size=(60, 60))[1]
  assert set(np.unique(painted)) == {0, 1} and painted[30, 30] and painted[8, 8]


def test_the_colours_of_objects_are_distinct():
  assert len(set(COLOURS)) == 256


def bad_files(tmp_path):
  write_image(tmp_path / "small.png", _ONE[:-1])
  write_objects(tmp_path / "void.png", shape((0, 3), (0, 3), 255))
  write_image(tmp_path / "faint.png", 90 * _ONE)
  (tmp_path / "text.png").write_text("no image")
  return {
    "small.png": "is 11x20, the video is 12x20",
    "void.png": "holds object 255",
    "faint.png": "values only up to 90",
    "text.png": "text.png",
    "none.png": "No such file",
  }


def test_a_bad_file_is_named(tmp_path):
  for name, words in bad_files(tmp_path).items():
    with pytest.raises(InputError, match=words) as caught:
      read(f1=tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
  with pytest.raises(InputError, match="paints frame 9, the video has frames 0 to 8"):
    read(f9=tmp_path / "small.png")


def test_names_in_a_folder_are_numbers(tmp_path):
  write_image(tmp_path / "7.png", _ONE)
  write_image(tmp_path / "0007.png", _ONE)
  with pytest.raises(InputError, match=r"names frame 7, as .*7.png does"):
    list_painted(tmp_path)
  (tmp_path / "0007.png").rename(tmp_path / "rider.png")
  with pytest.raises(InputError, match=r"rider\.png: its name is not the number"):
    list_painted(tmp_path)
