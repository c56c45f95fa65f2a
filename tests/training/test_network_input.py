"""The network input that each config gives."""

import itertools

import jax
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.method.program import (
  NOISE_KEY,
  build_program,
  describe_work,
  flow_strides,
)
from dipvid_jax.method.recipes import load_config
from dipvid_jax.method.training_clip import make_training_clip
from dipvid_jax.training.batching import draw_noise
from flow import PairFlow
from tests.support.synthetic import moving_hole, translating_clip

COUNT, SIZE, STEP = 6, (24, 32), (2, 1)
KEY = jax.random.key(3)


def make_input(**values):
  config = load_config(
    "flow",
    levels=1,
    flow_weight=0.0,
    consistency_weight=0.0,
    perceptual_weight=0.0,
    **values,
  )
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


def test_a_run_needs_the_memory_of_all_its_channels():
  config, made = make_input(noise_channels=3)
  program = build_program(COUNT, config=config)
  work = describe_work(program, frame_count=COUNT, size=SIZE, windows=1, config=config)
  assert work.noise_channels == made.shape[-1] == 3
  state = program.create_state(KEY, made[:1])
  assert work.state_bytes == sum(leaf.nbytes for leaf in jax.tree.leaves(state))


def test_moving_noise_is_the_same_at_the_same_scene_point_in_every_frame():
  """The flow is estimated and completed for it, though no loss reads it."""
  _, made = make_input(network_input="moving_noise", noise_channels=6)
  assert made.shape == (COUNT, *SIZE, 6)
  for earlier, later in itertools.pairwise(made):
    np.testing.assert_allclose(earlier[:-1, :-2], later[1:, 2:], atol=2e-5)


def test_moving_noise_needs_neighbouring_frames():
  with pytest.raises(InputError, match="follows the scene need stride 1"):
    make_input(network_input="moving_noise", strides=(3,), batch_size=2)
