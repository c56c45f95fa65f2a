"""The hint of what remains beside the mask: from the rows of rounds to a sentence."""

import re
import types
from typing import NamedTuple

import cv2
import numpy as np

from dipvid_jax.cli import inpaint
from dipvid_jax.media.images import write_images
from dipvid_jax.method.pipeline import Inpainted
from dipvid_jax.method.program import flow_strides
from dipvid_jax.method.recipes import shipped_recipes
from dipvid_jax.propagation.telea import telea
from dipvid_jax.report.page import write_report
from dipvid_jax.report.residue_note import residue_note
from dipvid_jax.runs import window_training
from flow import neighbour_flow
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.report_run import VISITS, Run
from tests.support.synthetic import translating_clip

CLIP = (("video", "frames"), ("mask", "masks"))
_ROWS = [
  {"window": 1, "update": 10, "residue_width": 9, "residue_frames": [1]},
  {"window": 1, "update": 20, "residue_width": 2, "residue_frames": [35, 5]},
  {"window": 2, "update": 20},
  {"window": 3, "update": 20, "residue_width": 3, "residue_frames": [81, 90, 70, 99]},
]


def test_the_last_rows_of_all_windows_make_one_sentence():
  note = residue_note(_ROWS, dilation=2)
  assert "up to 3 pixels from it" in note
  assert "in frame 5, 35, 70, 81, 90." in note
  assert "--dilate 6 (this run: 2)" in note


def test_nothing_is_said_where_nothing_remains():
  assert residue_note(_ROWS[2:3], dilation=0) == ""
  assert residue_note([], dilation=0) == ""


def test_the_report_says_it(tmp_path):
  run = Run(tmp_path, dilate=2)
  run.begin()
  run.round(0)
  assert "remain beside the mask" not in run.page.text
  row = {"window": 1, "update": 20, "round": 2, "seconds": 1.0}
  run.folder.append_round(row | {"residue_width": 1, "residue_frames": [2]})
  write_report(run.folder.path, recipes=shipped_recipes())
  assert "--dilate 4 (this run: 2)" in run.page.text


class State(NamedTuple):
  """All that a checkpoint needs."""

  step: np.ndarray


def look_alone(frames, hole_masks, *, config, video_flow, callbacks, **_):
  """A run that finds the flow, and neither carries nor trains."""
  shown = telea(frames, hole_masks)
  found = video_flow(shown, flow_strides(len(frames), config=config))
  callbacks.on_flow(found)
  carried = types.SimpleNamespace(pairs=neighbour_flow(found))
  guess = types.SimpleNamespace(carried=carried)
  result = Inpainted(shown, shown, None, hole_masks, guess=guess)
  callbacks.on_round(VISITS[0], callbacks.on_start(State(np.int32(0))), result)
  return result


def test_a_run_says_it_once_more_when_it_is_finished(tmp_path, capsys, monkeypatch):
  """A disc crosses a panning texture; its mask leaves out an edge of 4 pixels."""
  monkeypatch.setattr(window_training, "inpaint_video", look_alone)
  texture = translating_clip(14, (64, 112), step=(1, 0))
  frames, masks = [], []
  for t, image in enumerate(texture):
    frame = cv2.GaussianBlur(np.rint(255 * image).astype(np.uint8), (0, 0), 1.5)
    mask = np.zeros(frame.shape[:2], np.uint8)
    cv2.circle(frame, (18 + 6 * t, 32), 11, (230, 20, 20), -1)
    cv2.circle(mask, (18 + 6 * t, 32), 7, 255, -1)
    frames.append(frame)
    masks.append(np.repeat(mask[..., None], 3, axis=2))
  write_images(tmp_path / "frames", frames)
  write_images(tmp_path / "masks", masks)
  clip = [f"--{kind}={tmp_path / name}" for kind, name in CLIP]
  flags = [*clip, f"--output={tmp_path / 'out'}", "--config=fast.py"]
  assert inpaint.main(flags) == 0
  said = capsys.readouterr().out
  hint = next(line for line in said.splitlines() if line.startswith("hint: "))
  assert re.search(r"up to [3-5] pixels from it", hint)
  assert inpaint.main([*flags, "--resume"]) == 0
  assert hint in capsys.readouterr().out
