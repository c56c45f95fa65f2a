"""Waves over the scene, noise of single frames, and which input a config makes."""

import itertools

import jax
import numpy as np
import pytest

from dipvid_jax import network_input
from dipvid_jax.batching import draw_noise
from dipvid_jax.configuration import check_config, load_config
from dipvid_jax.errors import InputError
from dipvid_jax.network_input import add_frame_noise, fourier_features
from dipvid_jax.program import NOISE_KEY, build_program, describe_work, flow_strides
from dipvid_jax.training_clip import make_training_clip
from flow import PairFlow
from tests.synthetic import moving_hole, translating_clip

COUNT, SIZE, STEP = 6, (24, 32), (2, 1)
KEY = jax.random.key(3)


def grid():
  """Coordinates of a scene that stands still, `[1, H, W, 2]`."""
  y, x = np.mgrid[: SIZE[0], : SIZE[1]]
  return np.stack([x, y], axis=-1)[None].astype(np.float32)


@pytest.mark.parametrize("channels", [1, 4, 7])
def test_the_waves_are_sines_and_cosines_of_places_in_the_frame(channels):
  waves = np.asarray(fourier_features(KEY, grid(), channels=channels))
  assert waves.shape == (1, *SIZE, channels) and waves.dtype == np.float32
  drawn = np.asarray(jax.random.normal(KEY, (2, -(-channels // 2))), np.float64)
  for y, x in ((0, 0), (11, 16), (23, 31)):
    # From -1 to 1 along the longer side, as far in pixels along the other one.
    place = np.array([x - 15.5, y - 11.5]) / 16
    for channel in range(channels):
      angle = 2 * np.pi * network_input._FREQUENCY * place @ drawn[:, channel // 2]
      expected = 0.05 * (1 + (np.cos if channel % 2 else np.sin)(angle))
      assert waves[0, y, x, channel] == pytest.approx(expected, abs=2e-6)


def test_the_waves_have_the_range_of_the_noise():
  waves = np.asarray(fourier_features(KEY, grid(), channels=32))
  noise = np.asarray(draw_noise(KEY, waves.shape))
  assert waves.min() >= 0 and waves.max() <= 0.1
  assert waves.mean() == pytest.approx(noise.mean(), rel=0.1)
  assert waves.std() == pytest.approx(noise.std(), rel=0.4)


def test_frame_noise_joins_the_input_and_no_channels_leave_it_alone():
  made = draw_noise(KEY, (COUNT, *SIZE, 2))
  assert add_frame_noise(KEY, made, channels=0) is made
  joined = np.asarray(add_frame_noise(jax.random.key(4), made, channels=3))
  np.testing.assert_array_equal(joined[..., :2], made)
  own = joined[..., 2:]
  maps = own.transpose(0, 3, 1, 2).reshape(COUNT * 3, -1)
  correlation = np.corrcoef(maps) - np.eye(len(maps))
  assert np.abs(correlation).max() < 0.2
  assert own.min() >= 0 and own.max() <= 0.1


def make_input(**values):
  config = load_config("flow")
  config.update(
    levels=1, flow_weight=0.0, consistency_weight=0.0, perceptual_weight=0.0, **values
  )
  check_config(config)
  way = np.broadcast_to(np.float32(STEP), (COUNT - 1, *SIZE, 2))
  visible = np.ones((COUNT - 1, *SIZE, 1), bool)
  strides = flow_strides(COUNT, config=config)
  clip = make_training_clip(
    *(translating_clip(COUNT, SIZE, step=STEP), moving_hole(COUNT, SIZE)),
    tuple(PairFlow(t, way, -way, visible, visible) for t in strides),
    config=config,
  ).device
  return config, np.asarray(clip.noise)


def test_the_default_is_the_authors_noise():
  _, made = make_input()
  key = jax.random.fold_in(jax.random.key(0), NOISE_KEY)
  np.testing.assert_array_equal(made, draw_noise(key, (COUNT, *SIZE, 1)))


def test_coordinates_are_the_same_at_the_same_scene_point_in_every_frame():
  """The flow is estimated and completed for them, though no loss reads it."""
  _, made = make_input(network_input="coordinates", noise_channels=6, frame_channels=1)
  assert made.shape == (COUNT, *SIZE, 7)
  for earlier, later in itertools.pairwise(made):
    seen, again = earlier[:-1, :-2], later[1:, 2:]
    np.testing.assert_allclose(seen[..., :6], again[..., :6], atol=2e-5)
    assert np.abs(seen[..., 6] - again[..., 6]).mean() > 0.02
  assert made[0, ..., :6].std(axis=(0, 1)).min() > 0.02


def test_a_run_needs_the_memory_of_all_its_channels():
  config, made = make_input(frame_channels=2)
  program = build_program(COUNT, config=config)
  work = describe_work(program, frame_count=COUNT, size=SIZE, windows=1, config=config)
  assert work.noise_channels == made.shape[-1] == 3
  state = program.create_state(KEY, made[:1])
  assert work.state_bytes == sum(leaf.nbytes for leaf in jax.tree.leaves(state))


def test_coordinates_need_neighbouring_frames():
  with pytest.raises(InputError, match="follows the scene need stride 1"):
    make_input(network_input="coordinates", strides=(3,), batch_size=2)


def test_there_is_no_negative_number_of_channels():
  with pytest.raises(InputError, match=r"config\.frame_channels: must be 0 or more"):
    make_input(frame_channels=-1)
