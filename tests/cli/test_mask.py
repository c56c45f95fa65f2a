"""`bin/mask` in this process: flags to masks, and one line for what is wrong."""

import cv2
import numpy as np
import pytest

from dipvid_jax.cli.mask import main
from dipvid_jax.masking import text_detector
from dipvid_jax.media.images import write_images
from dipvid_jax.media.masks import read_mask
from tests.support.media_files import display_matrix, encode, moving_frames
from tests.support.synthetic import translating_clip
from tests.support.tiny_onnx import write_white_detector

_COUNT, _HEIGHT, _WIDTH = 8, 48, 64


@pytest.fixture
def clip(tmp_path):
  return encode(tmp_path / "clip.mkv", moving_frames(_COUNT, _HEIGHT, _WIDTH))


def mask(clip, output, *flags):
  return main(["--video", str(clip), "--output", str(output), *map(str, flags)])


def masks_of(output, count=_COUNT, size=(_HEIGHT, _WIDTH)):
  return read_mask(output / "masks", frame_count=count, size=size)[..., 0] > 0


def test_boxes_of_flags_and_of_a_file_are_united(clip, tmp_path, capsys):
  rows = "frame,x,y,width,height,name\n0,40,30,4,4,a\n7,47,30,4,4,a\n"
  (tmp_path / "boxes.csv").write_text(rows)
  boxes = ("--box", "2,3,10,5", "--box", "20,0,4,4,2,3")
  out = tmp_path / "out"
  assert mask(clip, out, *boxes, "--boxes", tmp_path / "boxes.csv") == 0
  expected = np.zeros((_COUNT, _HEIGHT, _WIDTH), bool)
  expected[:, 3:8, 2:12] = True
  expected[2:4, 0:4, 20:24] = True
  for t in range(_COUNT):
    expected[t, 30:34, 40 + t : 44 + t] = True
  assert (masks_of(out) == expected).all()
  said = capsys.readouterr().out
  assert "8 masks, 8 of them not black" in said and f"--mask {out / 'masks'}" in said


def test_frames_beyond_the_range_are_black_and_the_rest_is_grown(clip, tmp_path):
  flags = ("--box", "10,10,4,4", "--range", "2:5", "--dilate", "2")
  assert mask(clip, tmp_path / "out", *flags) == 0
  masks = masks_of(tmp_path / "out")
  assert masks.any(axis=(1, 2)).tolist() == [False] * 2 + [True] * 4 + [False] * 2
  assert masks[2, 8:16, 10:14].all() and masks[2].sum() == 16 + 4 * 8


def test_coordinates_are_those_of_the_upright_picture(tmp_path):
  frames = moving_frames(3, 32, 64)
  path = encode(tmp_path / "phone.mp4", frames, codec="libx264", pix_fmt="yuv420p")
  display_matrix(path, 0, 1, -1, 0)
  assert mask(path, tmp_path / "out", "--box", "20,40,10,20") == 0
  masks = masks_of(tmp_path / "out", 3, (64, 32))
  assert masks[0, 40:60, 20:30].all() and masks[0].sum() == 200


def test_a_logo_and_text_are_found(tmp_path, monkeypatch):
  monkeypatch.setattr(text_detector, "_SIDE", 192)  # quicker
  texture = translating_clip(24, (96, 144), step=(3, 2))
  frames = np.rint(40 + 110 * texture).astype(np.uint8)
  shape = np.zeros((96, 144), np.uint8)
  cv2.circle(shape, (120, 20), 9, 255, -1)
  frames[:, shape > 0] = (180, 60, 60)
  for frame in frames[12:]:
    cv2.putText(
      frame, "lines", (20, 80), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2
    )
  write_images(tmp_path / "frames", frames)
  model = write_white_detector(tmp_path / "net.onnx")
  out = tmp_path / "out"
  assert mask(tmp_path / "frames", out, "--logo", "--within", "96,0,48,48") == 0
  logo = masks_of(out, 24, (96, 144))
  assert (logo == logo[0]).all() and logo[0][shape > 0].all()
  text = ("--text", "--text-model", model, "--overwrite")
  assert mask(tmp_path / "frames", out, *text) == 0
  found = masks_of(out, 24, (96, 144)).any(axis=(1, 2))
  assert not found[:9].any() and found[12:].all()


BAD = [
  ("nothing to mask", [], ("what to mask is missing", "--logo")),
  ("box outside", ["--box", "60,0,9,9"], ("--box 60,0,9,9", "width 64 and height 48")),
  ("negative box", ["--box", "-1,0,9,9"], ("--box -1,0,9,9", "beyond the picture")),
  ("no width", ["--box", "1,0,0,9"], ("--box 1,0,0,9", "positive")),
  ("box of words", ["--box", "a,b,c,d"], ("'a,b,c,d' is not x,y,width,height",)),
  ("five numbers", ["--box", "1,2,3,4,5"], ("is not x,y,width,height",)),
  ("half a frame", ["--box", "1,2,3,4,5,6.5"], ("is not x,y,width,height",)),
  ("box from after to", ["--box", "1,2,3,4,5,2"], ("begins at frame 5, after",)),
  ("box beyond the end", ["--box", "1,2,3,4,5,8"], ("video of 8 frames, 0 to 7",)),
  ("range beyond the end", ["--box", "1,2,3,4", "--range", "0:79"], ("--range 0:79",)),
  ("range turned", ["--box", "1,2,3,4", "--range", "5:2"], ("begins at frame 5",)),
  ("range of words", ["--box", "1,2,3,4", "--range", "all"], ("FIRST:LAST",)),
  (
    "range without a box",
    ["--box", "1,2,3,4,0,2", "--range", "4:6"],
    ("no frame has a mask",),
  ),
  ("within alone", ["--box", "1,2,3,4", "--within", "0,0,9,9"], ("--within",)),
  ("within outside", ["--logo", "--within", "0,0,99,9"], ("--within", "beyond")),
  ("model alone", ["--logo", "--text-model", "a.onnx"], ("--text-model is for",)),
  ("no model", ["--text", "--text-model", "none.onnx"], ("none.onnx", "No such file")),
  ("no CSV", ["--boxes", "none.csv"], ("none.csv", "No such file")),
  ("dilation", ["--box", "1,2,3,4", "--dilate", "-1"], ("--dilate -1",)),
  ("few frames", ["--logo"], ("needs 20 frames or more, got 8",)),
]


@pytest.mark.parametrize(
  ("flags", "words"), [c[1:] for c in BAD], ids=[c[0] for c in BAD]
)
def test_bad_input_is_one_line_and_writes_nothing(clip, tmp_path, capsys, flags, words):
  try:
    code = mask(clip, tmp_path / "out", *flags)
  except SystemExit as stop:
    code = stop.code
  line = capsys.readouterr().err.strip()
  assert code == 2 and line.startswith("mask: ") and "\n" not in line
  for word in words:
    assert word in line
  assert not (tmp_path / "out").exists()


def test_existing_masks_are_kept(clip, tmp_path, capsys):
  assert mask(clip, tmp_path / "out", "--box", "1,2,3,4") == 0
  assert mask(clip, tmp_path / "out", "--box", "5,2,3,4") == 2
  assert "add --overwrite" in capsys.readouterr().err
  assert masks_of(tmp_path / "out")[0, 2, 1]


def test_a_missing_detector_is_said_before_the_video_is_read(
  tmp_path, monkeypatch, capsys
):
  monkeypatch.setattr(text_detector, "_PACKAGE", "no_such_package")
  assert mask(tmp_path / "none.mp4", tmp_path / "out", "--text") == 2
  assert "pip install --no-deps rapidocr-onnxruntime" in capsys.readouterr().err
