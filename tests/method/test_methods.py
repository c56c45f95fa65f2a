"""DIP, DIP-Vid and DIP-Vid-3DCN: their configs, through the road of DIP-Vid-Flow."""

import jax
import numpy as np
import pytest

from dipvid_jax.method.pipeline import inpaint_video
from dipvid_jax.method.program import build_program, build_visits
from dipvid_jax.method.recipes import load_config
from dipvid_jax.method.training_clip import make_training_clip
from tests.support.callbacks import Recorder
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.synthetic import moving_hole, translating_clip

COUNT, SIZE = 6, (12, 16)
FRAMES = translating_clip(COUNT, SIZE, step=(1, 0))
HOLES = moving_hole(COUNT, SIZE)
METHODS = ("dip", "vid", "vid3d")


def small_config(name, **values):
  changes = {"levels": 1, "rounds": 2, "inner_steps": 2, **values}
  if name == "dip":
    changes["batches_per_round"] = 2
  return load_config(name, **changes)


@pytest.mark.parametrize(
  ("name", "updates", "last"),
  [
    ("dip", 80 * 5_000, 79),
    ("vid", 20 * 76 * 100, 40),
    ("vid3d", 20 * 76 * 100, 40),
    ("flow", 102_000, 40),
  ],
)
def test_the_schedules_of_the_method(name, updates, last):
  config = load_config(name)
  visits = build_visits(80, config=config)
  assert sum(visit.updates for visit in visits) == updates
  assert visits[-1].start == last
  assert config.placement.fit == "crop" and config.training.learning_rate == 0.01


@pytest.mark.parametrize("name", METHODS)
def test_a_method_trains_resumes_and_fills_the_hole(name):
  config, recorder = small_config(name), Recorder()
  result = inpaint_video(FRAMES, HOLES, config=config, callbacks=recorder)
  assert result.flow is None and result.full.shape == FRAMES.shape
  assert (result.full > 0).all() and (result.full < 1).all()
  hole = np.broadcast_to(HOLES > 0, FRAMES.shape)
  np.testing.assert_array_equal(result.stitched[~hole], FRAMES[~hole])
  np.testing.assert_array_equal(result.stitched[hole], result.full[hole])
  assert len(recorder.states) == (COUNT if name == "dip" else 2)
  resumed = inpaint_video(
    FRAMES, HOLES, config=config, callbacks=Recorder(lambda _: recorder.states[-2])
  )
  np.testing.assert_array_equal(resumed.full, result.full)


@pytest.mark.parametrize("name", METHODS)
def test_the_hole_is_not_learnt(name):
  """With its content hidden, garbage in the hole changes no bit."""
  config = small_config(name, hide_hole=True, max_updates=2)
  garbage = np.random.default_rng(0).random(FRAMES.shape, np.float32)
  results = [
    inpaint_video(frames, HOLES, config=config).full
    for frames in (FRAMES, np.where(HOLES > 0, garbage, FRAMES))
  ]
  np.testing.assert_array_equal(*results)


def reach(name):
  """The frames of a batch on which a generated middle frame depends."""
  config = small_config(name, batch_size=5)
  model = build_program(COUNT, config=config).model
  noise = make_training_clip(FRAMES, HOLES, (), config=config).device.noise[:5]
  params = jax.jit(model.init)(jax.random.key(0), noise)["params"]

  def middle(noise):
    outputs = model.apply({"params": params}, noise)
    return outputs.image[2, 6, 8, 0]

  gradient = np.asarray(jax.jit(jax.grad(middle))(noise))
  return np.abs(gradient).max(axis=(1, 2, 3)) / np.abs(gradient).max()


def test_only_the_3d_network_looks_at_neighbouring_frames():
  """Normalisation ties the frames of a batch, too, but far less."""
  flat, deep = reach("vid"), reach("vid3d")
  assert flat[[0, 1, 3, 4]].max() < 0.15
  assert deep[[1, 3]].min() > 2 * flat[[1, 3]].max()
