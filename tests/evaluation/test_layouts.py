"""Results and true clips in the layouts of other programs and of data sets."""

import re

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.clip_files import pair_clips, pair_composed
from dipvid_jax.evaluation.layouts import find_clips, find_results
from dipvid_jax.media.data_sets import VideoSet
from dipvid_jax.media.images import write_images
from tests.support.composed_set import write_set
from tests.support.media_files import moving_frames

NAMES = ("bear", "blackswan")


@pytest.fixture
def put(tmp_path):
  """Makes empty files and returns the folder."""

  def put(*names):
    for name in names:
      (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
      (tmp_path / name).touch()
    return tmp_path

  return put


def test_stitched_frames_of_each_system_are_found(put):
  root = put(
    *("sttn/bear_result.mp4", "sttn/bear_mask.png"),
    *("e2fgvi/bear_results.mp4", "images/bear/00000.png"),
    *("propainter/bear/inpaint_out.mp4", "propainter/bear/masked_in.mp4"),
    *("kept/bear/inpaint_out.mp4", "kept/bear/frames/0000.png"),
  )
  expected = {
    "sttn": "bear_result.mp4",
    "e2fgvi": "bear_results.mp4",
    "images": "bear",
    "propainter": "bear/inpaint_out.mp4",
    "kept": "bear",  # whose folder frames is read
  }
  for system, path in expected.items():
    assert find_results(root / system, names=NAMES) == {"bear": root / system / path}


def test_a_clip_that_is_called_so_keeps_its_name(put):
  folder = put("out/best_results.mp4") / "out"
  assert [*find_results(folder, names=["best_results"])] == ["best_results"]
  assert [*find_results(folder)] == ["best_results"]


def test_two_results_of_a_clip_are_refused(put):
  folder = put("out/bear_result.mp4", "out/bear_results.mp4") / "out"
  with pytest.raises(InputError, match=r"bear_result.mp4 and bear_results.mp4; keep"):
    find_results(folder, names=NAMES)


def test_davis_is_read_as_it_is_laid_out(put):
  davis = put(
    *(f"DAVIS/JPEGImages/480p/{name}/00000.jpg" for name in NAMES),
    *(f"DAVIS/Annotations/480p/{name}/00000.png" for name in NAMES),
    "results/bear/00000.png",
  )
  (clip,) = pair_clips(davis / "results", davis / "DAVIS", davis / "DAVIS")
  assert clip.truth.frames == davis / "DAVIS/JPEGImages/480p/bear"
  assert clip.truth.masks == davis / "DAVIS/Annotations/480p/bear"


def test_of_several_resolutions_one_must_be_named(put):
  davis = put(*(f"JPEGImages/{side}/bear/00000.jpg" for side in ("480p", "1080p")))
  with pytest.raises(InputError, match=re.escape("1080p, 480p; name one")):
    find_clips(davis, kind="frames")
  chosen = find_clips(davis / "JPEGImages/480p", kind="frames")
  assert chosen == {"bear": davis / "JPEGImages/480p/bear"}


def test_clips_directly_in_jpegimages_are_found(put):
  davis = put(*(f"JPEGImages/{name}/00000.jpg" for name in NAMES))
  assert {*find_clips(davis, kind="frames")} == {*NAMES}


def test_composed_truth_is_that_of_the_set(tmp_path):
  hole = slice(10, 20), slice(20, 30)
  composed = str(write_set(tmp_path, shape=(3, 32, 48), hole=hole))
  frames = moving_frames(3, 32, 48)
  masks = np.zeros((3, 32, 48, 1), np.uint8)
  masks[:, *hole] = 255
  (video,) = VideoSet(composed).places
  write_images(tmp_path / "results" / video, frames)
  (clip,) = pair_composed(tmp_path / "results", composed)
  truth, holes = clip.truth.read()
  assert (truth == frames).all() and (holes == masks).all()
  with pytest.raises(InputError, match="has nothing named other"):
    pair_composed(tmp_path / "results", composed, video_ids=["other"])
  write_images(tmp_path / "results/other", frames)
  with pytest.raises(InputError, match="has no video other"):
    pair_composed(tmp_path / "results", composed)
