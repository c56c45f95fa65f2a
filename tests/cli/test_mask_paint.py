"""`bin/mask --paint` in this process: painted frames, further calls, cuts, trackers."""

import csv

import cv2
import numpy as np
import pytest

from dipvid_jax.cli import mask_painting
from dipvid_jax.cli.mask import main
from dipvid_jax.masking import painting
from dipvid_jax.masking.object_colours import write_objects
from dipvid_jax.masking.painted import read_painted
from dipvid_jax.masking.propagation import Masks
from dipvid_jax.media.images import read_image, write_image, write_images
from dipvid_jax.media.masks import read_mask
from tests.support.no_looks import no_looks

_COUNT, _SIZE = 10, (96, 128)
_CUT = 6


def square(number, value=1, *, row=12):
  """A square of 12 pixels that moves 3 pixels a frame."""
  labels = np.zeros(_SIZE, np.uint8)
  labels[row : row + 12, 6 + 3 * number : 18 + 3 * number] = value
  return labels


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
  """A folder of frames, cut after six; red and blue squares move over texture."""
  rng = np.random.default_rng(2)
  noise = [cv2.GaussianBlur(rng.normal(size=_SIZE), (0, 0), 6) for _ in range(2)]
  scenes = [np.uint8(40 + 200 * (n - n.min()) / np.ptp(n))[..., None] for n in noise]
  frames = []
  for number in range(_COUNT):
    frame = np.repeat(scenes[number >= _CUT], 3, axis=2)
    frame[square(number) > 0] = (230, 20, 20)
    frame[square(number, row=30) > 0] = (20, 20, 230)
    frames.append(frame)
  folder = tmp_path_factory.mktemp("clip") / "frames"
  write_images(folder, np.stack(frames))
  return folder


@pytest.fixture(autouse=True)
def looked_at(monkeypatch):
  """Masks that move with the nearest painted frame; tells which scenes were looked at.

  `tests/masking/test_painting.py` has the masks that are learnt.
  """
  seen = []

  def propagate(frames, painted, *, looks, on_progress, **_):
    if looks is None:
      seen.append(len(frames))
    numbers = range(len(frames))
    nearest = [min(painted, key=lambda n: abs(n - t)) for t in numbers]
    labels = [np.roll(painted[n], 3 * (t - n), 1) for t, n in enumerate(nearest)]
    sure = np.float32([1 / (1 + abs(t - n)) for t, n in enumerate(nearest)])
    on_progress(1)
    return Masks(np.stack(labels), sure, int(sure.argmin()), looks or no_looks(frames))

  monkeypatch.setattr(painting, "propagate_masks", propagate)
  return seen


def mask(clip, output, *flags):
  return main(["--video", str(clip), "--output", str(output), *map(str, flags)])


def masks_of(output):
  read = read_mask(output / "masks", frame_count=_COUNT, size=_SIZE)
  return (read[..., 0] > 0).astype(np.uint8)


def painted(tmp_path, number, labels=None):
  path = tmp_path / f"painted-{number}.png"
  write_objects(path, square(number) if labels is None else labels)
  return f"{number}={path}"


def confidence_of(output):
  with (output / "confidence.csv").open() as file:
    return {int(r["frame"]): float(r["confidence"]) for r in csv.DictReader(file)}


def interrupted(*_, **__):
  raise KeyboardInterrupt


def test_a_further_call_keeps_what_was_painted_and_locked(
  clip, tmp_path, looked_at, capsys, monkeypatch
):
  out = tmp_path / "out"
  assert mask(clip, out, "--paint", painted(tmp_path, 2)) == 0
  said = capsys.readouterr().out
  assert "frames 6 to 9: no painted frame between the cuts" in said
  masks, confidence = masks_of(out), confidence_of(out)
  assert (masks[2] == square(2)).all() and not masks[_CUT:].any()
  assert sorted(confidence) == list(range(_CUT)) and confidence[2] == 1
  assert not (out / "objects").exists()
  number = next(n for n in confidence if f"frame {n} (confidence" in said)
  assert number != 2 and f"--continue --lock {number}" in said

  retouched = 255 * np.roll(masks[number], 2, axis=0)
  retouched[0, 0] = 255
  write_image(out / f"masks/{number:05d}.png", retouched)
  assert mask(clip, out, "--continue") == 2
  assert f"masks/{number:05d}.png is in the way" in capsys.readouterr().err
  with monkeypatch.context() as patch:
    patch.setattr(mask_painting, "propagate_scenes", interrupted)
    held = {path: path.read_bytes() for path in out.rglob("*.*")}
    assert mask(clip, out, "--continue", "--lock", number) == 130
    assert {path: path.read_bytes() for path in out.rglob("*.*")} == held
  added = ("--continue", "--lock", number, "--paint", painted(tmp_path, 8))
  assert mask(clip, out, *added) == 0
  masks = masks_of(out)
  assert (255 * masks[number] == retouched).all()
  assert (masks[2] == square(2)).all() and (masks[8] == square(8)).all()
  assert sorted(confidence_of(out)) == list(range(_COUNT))
  assert mask(clip, out, "--continue", "--paint", painted(tmp_path, 4)) == 0
  masks = masks_of(out)
  assert (255 * masks[number] == retouched).all() and (masks[8] == square(8)).all()
  assert looked_at == [_CUT, _COUNT - _CUT]  # each scene once


def test_several_objects_have_numbers_and_a_range(clip, tmp_path, capsys):
  both = square(3, 2) + square(3, 5, row=30)
  out = tmp_path / "out"
  flags = ("--paint", painted(tmp_path, 3, both), "--range", "1:5")
  assert mask(clip, out, *flags) == 0
  assert "objects 2, 5" in capsys.readouterr().out
  files = {n: out / f"objects/{n:05d}.png" for n in range(_COUNT)}
  objects = read_painted(files, frame_count=_COUNT, size=_SIZE)
  masks = masks_of(out)
  assert (objects[3] == both).all()
  assert all(((objects[n] > 0) == masks[n]).all() for n in objects)
  assert not masks[[0, 6, 7, 8, 9]].any() and masks[3].any()
  chosen = read_mask(out / "objects", frame_count=_COUNT, size=_SIZE, object_id=5)
  assert ((chosen[3, ..., 0] > 0) == (both == 5)).all()

  changed = objects[4].copy()
  changed[0, :3] = 5
  write_objects(files[4], changed)
  capsys.readouterr()
  again = ("--continue", "--lock", "4", "--range", "1:5")
  assert mask(clip, out, *again) == 0
  assert (read_painted(files, frame_count=_COUNT, size=_SIZE)[4] == changed).all()
  write_image(out / "masks/00001.png", np.eye(*_SIZE, dtype=np.uint8) * 255)
  assert mask(clip, out, "--continue", "--lock", "1", "--range", "1:5") == 2
  assert "there are several objects" in capsys.readouterr().err


_TRACKER = """
import json, pathlib, shutil, sys
print(json.dumps({"version": 1}), flush=True)
folder = pathlib.Path(sys.argv[1])
count = json.loads((folder / "request.json").read_text())["frames"]
(folder / "labels").mkdir()
(source,) = (folder / "painted").iterdir()
for number in range(count):
  shutil.copy(source, folder / f"labels/{number:05d}.png")
(folder / "confidence.json").write_text(json.dumps([0.9] * (count - 1) + [0.3]))
"""


def test_a_tracker_makes_the_masks(clip, tmp_path, capsys):
  (tmp_path / "tracker.py").write_text(_TRACKER)
  (tmp_path / "folder").mkdir()
  write_objects(tmp_path / "folder/00004.png", square(4))
  flags = ("--paint", tmp_path / "folder", "--tracker", tmp_path / "tracker.py")
  assert mask(clip, tmp_path / "out", *flags, "--range", "3:7") == 0
  masks = masks_of(tmp_path / "out")
  assert (masks[3:8] == square(4)).all() and not masks[[0, 1, 2, 8, 9]].any()
  assert confidence_of(tmp_path / "out") == {3: 0.9, 4: 1, 5: 0.9, 6: 0.9, 7: 0.3}
  assert "frame 7 (confidence 0.30)" in capsys.readouterr().out
  (tmp_path / "tracker.py").write_text("raise MemoryError('full')")
  before = masks_of(tmp_path / "out")
  assert mask(clip, tmp_path / "out", *flags, "--overwrite") == 2
  assert "MemoryError: full" in capsys.readouterr().err
  assert (masks_of(tmp_path / "out") == before).all()


BAD = {
  "folder missing": (["--paint", "none"], "is neither FRAME=FILE nor a folder"),
  "file missing": (["--paint", "1=none.png"], "none.png: No such file"),
  "beyond the end": (["--paint", "10={good}"], "paints frame 10, the video has frames"),
  "not of this size": (["--paint", "1={small}"], "is 5x5, the video is 96x128"),
  "out of range": (["--paint", "1={good}", "--range", "2:4"], "leaves out frame 1"),
  "twice": (["--paint", "1={good}", "--paint", "01={small}"], "both paint frame 1"),
  "nothing painted": (["--paint", "1={black}"], "no painted frame shows an object"),
  "with a box": (["--paint", "1={good}", "--box", "1,1,2,2"], "--box does not go with"),
  "grown": (["--paint", "1={good}", "--dilate", "3"], "give it to bin/inpaint"),
  "nothing to continue": (["--continue"], "holds no painted frames to continue"),
  "both": (["--continue", "--overwrite"], "--overwrite begins again"),
  "locked alone": (["--lock", "1"], "--lock needs --continue"),
  "lock of words": (["--continue", "--lock", "-1"], "is not the number of a frame"),
  "tracker alone": (["--tracker", "sam2"], "--tracker needs --paint"),
  "weights alone": (["--paint", "1={good}", "--weights", "w"], "is for --tracker"),
  "no weights": (["--paint", "1={good}", "--tracker", "sam2"], "needs --weights FILE"),
}


@pytest.mark.parametrize(("flags", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_writes_nothing(clip, tmp_path, capsys, flags, words):
  write_image(tmp_path / "good.png", 255 * square(1))
  write_image(tmp_path / "black.png", np.zeros(_SIZE, np.uint8))
  write_image(tmp_path / "small.png", np.full((5, 5), 255, np.uint8))
  names = {name: tmp_path / f"{name}.png" for name in ("good", "black", "small")}
  try:
    code = mask(clip, tmp_path / "out", *(flag.format(**names) for flag in flags))
  except SystemExit as stop:
    code = stop.code
  line = capsys.readouterr().err.strip()
  assert code == 2 and line.startswith("mask: ") and "\n" not in line
  assert words in line and not (tmp_path / "out").exists()


def test_files_in_the_way_stay(clip, tmp_path, capsys):
  out = tmp_path / "out"
  (out / "painted").mkdir(parents=True)
  write_image(out / "painted/00001.png", 255 * square(1))
  assert mask(clip, out, "--paint", painted(tmp_path, 2)) == 2
  assert "painted/00001.png is in the way" in capsys.readouterr().err
  assert (read_image(out / "painted/00001.png") == 255 * square(1)).all()
  assert not (out / "masks").exists()
