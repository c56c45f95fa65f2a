"""Results and true clips in the layouts of other programs and of data sets."""

import re

import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.evaluation.clip_files import pair_clips
from dipvid_jax.evaluation.layouts import find_clips, find_results

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
  for package in ("tensorflow_datasets", "array_record"):
    pytest.importorskip(package, reason=f"{package} is in the extra data")
  from dipvid_jax.composed import build_composed
  from dipvid_jax.evaluation.clip_files import pair_composed
  from dipvid_jax.media.data_sets import VideoSet
  from dipvid_jax.media.images import write_images
  from tests.support.media_files import moving_frames

  frames = moving_frames(3, 32, 48)
  write_images(tmp_path / "clips/sea", frames)
  masks = np.zeros((3, 32, 48, 3), np.uint8)
  masks[:, 10:20, 20:30] = 255
  write_images(tmp_path / "masks/box", masks)
  build_composed(
    tmp_path / "set",
    backgrounds=tmp_path / "clips",
    masks=tmp_path / "masks",
    segment_length=3,
    masks_per_segment=1,
    seed=0,
  )
  (video,) = VideoSet(str(tmp_path / "set")).places
  write_images(tmp_path / "results" / video, frames)
  (clip,) = pair_composed(tmp_path / "results", str(tmp_path / "set"))
  truth, holes = clip.truth.read()
  assert (truth == frames).all() and (holes == masks[..., :1]).all()
  with pytest.raises(InputError, match="has nothing named other"):
    pair_composed(tmp_path / "results", str(tmp_path / "set"), video_ids=["other"])
  write_images(tmp_path / "results/other", frames)
  with pytest.raises(InputError, match="has no video other"):
    pair_composed(tmp_path / "results", str(tmp_path / "set"))
