"""The fills that results are compared with."""

import numpy as np

from benchmarks import simple_fills
from dipvid_jax.composed import read_composed
from dipvid_jax.media.images import iter_folder
from dipvid_jax.media.pixels import to_levels
from dipvid_jax.metrics import hole_psnr
from tests.support.composed_set import write_set
from tests.support.synthetic import translating_clip


def test_what_the_frames_around_show_is_propagated():
  truth = translating_clip(10, (64, 96), step=(4, 0), seed=3)
  hole = np.zeros((10, 64, 96, 1), np.uint8)
  hole[:, 20:34, 40:50] = 255  # passed within three frames
  fills = simple_fills.fill(to_levels(truth), hole)
  masks = (hole > 0).astype(np.float32)
  telea, propagated = (
    hole_psnr(fills[way], truth, masks) for way in ("telea", "propagation")
  )
  assert propagated > telea + 3


def test_what_the_hole_hides_is_not_seen():
  frames = np.random.default_rng(0).integers(0, 256, (5, 32, 48, 3), np.uint8)
  hole = np.zeros((5, 32, 48, 1), np.uint8)
  hole[:, 10:20, 15:25] = 255
  changed = np.where(hole > 0, 255 - frames, frames)
  ours, other = simple_fills.fill(frames, hole), simple_fills.fill(changed, hole)
  for way in ours:
    np.testing.assert_array_equal(ours[way], other[way])


def test_a_set_gets_a_folder_for_each_way_and_video(tmp_path):
  hole = (slice(20, 30), slice(26, 40))
  composed = write_set(tmp_path, shape=(6, 48, 64), hole=hole)
  output = tmp_path / "fills"
  simple_fills.main(["--set", str(composed), "--output", str(output)])
  (name,) = (folder.name for folder in (output / "telea").iterdir())
  video = read_composed(composed, name)
  for way, fill in simple_fills.fill(video.frames, video.hole).items():
    frames = np.stack([*iter_folder(output / way / name)])
    np.testing.assert_array_equal(frames, to_levels(fill))
    known = video.hole[..., 0] == 0
    np.testing.assert_array_equal(frames[known], video.truth[known])
