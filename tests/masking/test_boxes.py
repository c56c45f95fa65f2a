"""Boxes: which pixels, which frames, what a CSV may say."""

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.masking.areas import FrameRange, Rectangle
from dipvid_jax.masking.boxes import draw_boxes, read_boxes, still_box

_CLIP = {"frame_count": 8, "size": (20, 30)}
_HEADER = "frame,x,y,width,height,name\n"


def read(tmp_path, text):
  path = tmp_path / "boxes.csv"
  path.write_text(text)
  return read_boxes(path, **_CLIP)


def bounds(mask):
  """(x, y, width, height) of what is marked; None: nothing."""
  y, x = np.nonzero(mask)
  if not len(x):
    return None
  return x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1


def test_a_box_without_frames_is_in_all_of_them():
  track = still_box("b", Rectangle(4, 5, 10, 6), None, **_CLIP)
  masks = draw_boxes([track], **_CLIP)
  assert masks.shape == (8, 20, 30) and masks.dtype == bool
  assert [bounds(mask) for mask in masks] == [(4, 5, 10, 6)] * 8
  assert masks.sum() == 8 * 60


def test_a_range_includes_its_last_frame():
  track = still_box("b", Rectangle(0, 0, 30, 20), FrameRange(2, 5), **_CLIP)
  assert draw_boxes([track], **_CLIP).any(axis=(1, 2)).nonzero()[0].tolist() == [
    2,
    3,
    4,
    5,
  ]


def test_a_box_covers_every_pixel_that_it_touches():
  track = still_box("b", Rectangle(1.5, 2.0, 3.0, 1.2), FrameRange(0, 0), **_CLIP)
  assert bounds(draw_boxes([track], **_CLIP)[0]) == (1, 2, 4, 2)


def test_rows_of_one_name_are_key_frames(tmp_path):
  """Linear between the key frames, in any order, and nowhere before or after."""
  rows = "5,12,4,8,4,ball\n1,0,0,4,4,ball\n2,20,10,5,5,bird\n"
  masks = draw_boxes(read(tmp_path, _HEADER + rows), **_CLIP)
  ball = masks[:, :, :18]
  assert [bounds(mask) for mask in ball] == [
    None,
    (0, 0, 4, 4),
    (3, 1, 5, 4),
    (6, 2, 6, 4),
    (9, 3, 7, 4),
    (12, 4, 6, 4),  # cut by the test's own window
    None,
    None,
  ]
  bird = masks[:, :, 18:].copy()
  bird[:, :, :2] = False
  assert bounds(bird[2]) == (2, 10, 5, 5)


def test_a_column_of_names_may_be_missing(tmp_path):
  (track,) = read(tmp_path, "frame,x,y,width,height\n0,1,1,2,2\n7,8,1,2,2\n")
  assert track.at(7) == Rectangle(8, 1, 2, 2)
  assert track.at(3) == Rectangle(4, 1, 2, 2)


def test_a_thing_may_leave_the_picture(tmp_path):
  rows = "0,26,4,8,4,car\n4,46,4,8,4,car\n"
  masks = draw_boxes(read(tmp_path, _HEADER + rows), **_CLIP)
  assert bounds(masks[0]) == (26, 4, 4, 4)
  assert bounds(masks[4]) is None


@pytest.mark.parametrize(
  ("rectangle", "frames", "words"),
  [
    ((25, 0, 6, 4), None, "beyond the picture of width 30 and height 20"),
    ((0, 18, 4, 4), None, "(0, 18) to (4, 22)"),
    ((-1, 0, 4, 4), None, "beyond the picture"),
    ((0, 0, 0, 4), None, "must be positive"),
    ((0, 0, 4, -4), None, "must be positive"),
    ((0, 0, 4, 4), (5, 2), "begins at frame 5, after its end at frame 2"),
    ((0, 0, 4, 4), (0, 8), "frames 0 to 8 of a video of 8 frames, 0 to 7"),
  ],
)
def test_a_still_box_must_fit_the_clip(rectangle, frames, words):
  frames = frames and FrameRange(*frames)
  with pytest.raises(InputError) as error:
    still_box("--box B", Rectangle(*rectangle), frames, **_CLIP)
  assert str(error.value).startswith("--box B: ") and words in str(error.value)


@pytest.mark.parametrize(
  ("text", "words"),
  [
    ("", "line 1: has no column frame"),
    ("frame,x,y,w,height\n", "line 1: unknown column 'w'"),
    ("frame,x,y,width\n", "line 1: has no column height"),
    ("frame,x,x,y,width,height\n", "line 1: column 'x' appears twice"),
    (_HEADER, "line 1: no boxes follow"),
    (_HEADER + "0,1,1,2,2\n", "line 2: has 5 cells, the first line has 6"),
    (_HEADER + "0,1,1,2,2,a\n\n8,1,1,2,2,a\n", "line 4: frame 8 of a video of 8"),
    (_HEADER + "-1,1,1,2,2,a\n", "line 2: frame -1"),
    (_HEADER + "1.5,1,1,2,2,a\n", "line 2: frame 1.5 is not a whole number"),
    (_HEADER + "0,left,1,2,2,a\n", "line 2: x is 'left', not a number"),
    (_HEADER + "0,nan,1,2,2,a\n", "line 2: x is 'nan'"),
    (_HEADER + "0,1,1,2,-2,a\n", "line 2: width and height must be positive"),
    (_HEADER + "0,1,1,2,2,a\n0,2,2,2,2,a\n", "line 3: a second row of 'a' for frame 0"),
    (_HEADER + "0,40,1,2,2,a\n", "box 'a' is never within the picture"),
    ('frame,"x\n', "is not CSV"),
  ],
)
def test_a_bad_csv_is_one_line_with_its_number(tmp_path, text, words):
  with pytest.raises(InputError) as error:
    read(tmp_path, text)
  line = str(error.value)
  assert line.startswith(str(tmp_path / "boxes.csv")) and words in line
  assert "\n" not in line


def test_a_missing_csv_is_named(tmp_path):
  with pytest.raises(InputError, match="No such file"):
    read_boxes(tmp_path / "none.csv", **_CLIP)
