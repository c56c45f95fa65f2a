"""Coarse to fine: what a batch is at half its size, and when a run sees it so."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.batching import take_batch
from dipvid_jax.coarse import halve_batch
from dipvid_jax.configuration import check_config, load_config, placing
from dipvid_jax.errors import InputError
from dipvid_jax.objective import consistency_term, flow_term, image_term
from dipvid_jax.pipeline import inpaint_video
from dipvid_jax.preparation import place
from dipvid_jax.program import build_program, build_visits
from dipvid_jax.training_clip import make_training_clip
from dipvid_jax.types import Batch, Outputs
from tests import oracles
from tests.synthetic import moving_hole, random_video_flow, translating_clip

COUNT, SIZE = 6, (12, 16)
FRAMES, HOLES = translating_clip(COUNT, SIZE, step=(1, 0)), moving_hole(COUNT, SIZE)
KNOWN = random_video_flow(COUNT, SIZE, (1,))


def small_config(**values):
  small = {"levels": 1, "rounds": 1, "batches_per_round": 3, "inner_steps": 2}
  config = load_config("flow")
  config.update({**small, "perceptual_weight": 0.0, **values})
  return config


def first_batch(config):
  clip = make_training_clip(FRAMES, HOLES, KNOWN, config=config).device
  return take_batch(clip, 0, 0, 0, batch_size=5)


def test_each_pixel_is_the_mean_of_what_is_known_of_four():
  batch = first_batch(small_config())
  # As with `carry`: trusted in part.
  soft = np.random.default_rng(0).uniform(size=batch.hole_mask.shape)
  soft = soft.astype(np.float32) * (np.asarray(batch.hole_mask) == 0)
  soft = np.where(batch.hole_mask > 0, 1, soft)
  halved = jax.tree.map(np.asarray, halve_batch(batch._replace(hole_mask=soft)))
  full = jax.tree.map(np.asarray, batch)
  unknown = 0
  for n, y, x in np.ndindex(halved.frames.shape[:3]):
    rows, columns = slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2)
    trust = 1 - soft[n, rows, columns]
    np.testing.assert_allclose(halved.hole_mask[n, y, x], 1 - trust.mean(), atol=1e-6)
    noise = full.noise[n, rows, columns].mean(axis=(0, 1))
    np.testing.assert_allclose(halved.noise[n, y, x], noise, rtol=1e-5)
    if not trust.any():
      unknown += 1
      continue
    colours = (full.frames[n, rows, columns] * trust).sum(axis=(0, 1)) / trust.sum()
    np.testing.assert_allclose(halved.frames[n, y, x], colours, rtol=1e-4)
  assert unknown
  for n, y, x in np.ndindex(halved.flow.shape[:3]):
    block = n, slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2)
    mean = full.flow[block].mean(axis=(0, 1))
    np.testing.assert_allclose(halved.flow[n, y, x], mean, rtol=1e-4, atol=1e-6)
    assert halved.flow_hole[n, y, x] == full.flow_hole[block].max()
    assert halved.visible[n, y, x] == full.visible[block].min()


def test_what_is_in_the_hole_does_not_get_out_of_it():
  batch = first_batch(small_config())
  garbage = np.random.default_rng(0).random(batch.frames.shape).astype(np.float32)
  other = batch._replace(frames=jnp.where(batch.hole_mask > 0, garbage, batch.frames))
  jax.tree.map(np.testing.assert_array_equal, *map(halve_batch, (batch, other)))


@pytest.mark.parametrize("term", [image_term, flow_term, consistency_term])
def test_a_loss_is_the_same_where_four_pixels_are_alike(term):
  """Flow of whole coarse pixels: in network units it is the same at both sizes."""
  generator = np.random.default_rng(0)

  def alike(*shape, sample=generator.random):
    return sample((shape[0], 4, 6, shape[1])).repeat(2, axis=1).repeat(2, axis=2)

  def mask(frames):
    return (alike(frames, 1) < 0.4) * 1.0

  generated = 2.0 * np.rint(alike(4, 2) * 2 - 1)  # pixels, at the full size
  scale = 4.0
  batch = Batch(
    *(alike(4, 1), alike(4, 3), mask(4)),
    flow=alike(3, 2),
    flow_hole=mask(3),
    visible=mask(3),
    flow_scale=np.float64(scale),
    flow_channel=np.int32(0),
  )
  outputs = Outputs(image=alike(4, 3), flow=generated / scale)
  smaller = jax.tree.map(lambda x: x[:, ::2, ::2], outputs)
  full = oracles.in_float64(term, outputs, batch)
  half = oracles.in_float64(lambda o, b: term(o, halve_batch(b)), smaller, batch)
  np.testing.assert_allclose(half, full, rtol=1e-12)
  assert full > 0


def run(config, *, resume_from=None):
  """`(result, metrics of each call, states)`."""
  metrics, states = [], []
  result = inpaint_video(
    *(FRAMES, HOLES),
    config=config,
    video_flow=KNOWN,
    resume_from=resume_from,
    on_visit=lambda visit, values: metrics.append((visit, values)),
    on_state=lambda visit, state: states.append(jax.device_get(state)),
  )
  return result, metrics, states


COARSE = {"coarse_updates": 2, "inner_steps": 1}


@pytest.fixture(scope="module")
def finished():
  return run(small_config(**COARSE))


def test_the_first_updates_of_a_run_are_coarse(finished):
  result, metrics, _ = finished
  assert [visit.coarse for visit, _ in metrics] == [True, True, False, False]
  assert result.full.shape == FRAMES.shape
  program = build_program(COUNT, config=small_config(**COARSE))
  clip = make_training_clip(FRAMES, HOLES, KNOWN, config=small_config(**COARSE)).device
  batch = halve_batch(take_batch(clip, *program.visits[0][:3], batch_size=5))
  params = program.start(clip).params
  outputs = jax.jit(program.model.apply)({"params": params}, batch.noise)
  for name, term in {"image": image_term, "flow": flow_term}.items():
    expected = term(outputs, batch)
    np.testing.assert_allclose(metrics[0][1][name], [expected], rtol=1e-4)


def test_a_run_resumes_on_both_sides_of_the_border(finished):
  result, _, states = finished
  assert [int(state.step) for state in states] == [1, 2, 3, 4]
  for state in states[:3]:
    config = small_config(**COARSE)
    again, _, later = run(config, resume_from=lambda fresh, state=state: state)
    np.testing.assert_array_equal(again.full, result.full)
    jax.tree.map(np.testing.assert_array_equal, later[-1], states[-1])


def test_no_update_is_coarse_unless_it_is_asked_for():
  for name in ("flow", "vid", "vid3d", "fast"):
    config = load_config(name)
    assert not any(visit.coarse for visit in build_visits(20, config=config))
    assert placing(config)["levels"] == config.levels


def test_known_features_are_those_of_the_halved_frames():
  """Else their shapes would differ from the generated ones'."""
  config = small_config(perceptual_weight=0.01)
  size = (32, 48)
  clip = make_training_clip(
    *(translating_clip(5, size), moving_hole(5, size)),
    random_video_flow(5, size, (1,)),
    config=config,
  ).device
  program = build_program(5, config=config)
  state = jax.eval_shape(program.create_state, jax.random.key(0), clip.noise[:1])
  call = functools.partial(program.fit_visits, inner_steps=1, coarse=True)
  _, metrics = jax.eval_shape(call, state, clip, np.zeros((1, 3), np.int32))
  assert metrics["perceptual"].shape == (1,)


def test_half_the_size_must_suit_the_levels():
  config = small_config(coarse_updates=1, size=(96, 192), levels=5)
  with pytest.raises(InputError, match=r"config\.coarse_updates: .*48x96 .* levels=4"):
    check_config(config)
  config.levels = 4
  check_config(config)
  config = small_config(coarse_updates=1, levels=2)
  with pytest.raises(InputError, match=r"config\.coarse_updates: .*6x8 .* levels=1"):
    inpaint_video(FRAMES, HOLES, config=config, video_flow=KNOWN)


def test_working_frames_are_padded_for_half_their_size():
  config = small_config(coarse_updates=1, size=(50, 70), levels=3)
  assert place((100, 140), **placing(config)).size == (64, 80)


def test_networks_of_single_frames_have_no_coarse_updates():
  config = load_config("dip")
  config.update(coarse_updates=1, levels=5)
  with pytest.raises(InputError, match=r"config\.coarse_updates: schedule=\"frames\""):
    check_config(config)
