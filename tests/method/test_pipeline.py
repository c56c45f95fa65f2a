"""`inpaint_video` on a tiny clip: what it returns, reports, resumes and refuses."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.method import pipeline
from dipvid_jax.method.pipeline import inpaint_video
from dipvid_jax.method.program import build_program
from dipvid_jax.method.recipes import load_config
from dipvid_jax.method.training_clip import make_training_clip
from dipvid_jax.training.batching import flow_scale
from flow import estimate_video_flow
from tests.support.callbacks import Recorder
from tests.support.synthetic import moving_hole, random_video_flow, translating_clip

COUNT, SIZE = 14, (12, 16)  # strides 1 and 3 have batches, 5 has none
FRAMES = translating_clip(COUNT, SIZE, step=(1, 0))
HOLES = moving_hole(COUNT, SIZE)
KNOWN = random_video_flow(COUNT, SIZE, (1, 3))


def small_config(**values):
  small = {"levels": 1, "rounds": 2, "batches_per_round": 2, "inner_steps": 2}
  config = load_config("flow", **{**small, "perceptual_weight": 0.0, **values})
  return config


def run(frames=FRAMES, holes=HOLES, *, config=None, resume_from=None, known=KNOWN):
  """Runs with known flow; `(result, what it reported)`."""
  recorder = Recorder(resume_from)
  result = inpaint_video(
    frames,
    holes,
    config=config or small_config(),
    video_flow=known,
    callbacks=recorder,
  )
  return result, recorder


@pytest.fixture(scope="module")
def finished():
  return run()


def assert_equal_results(actual, expected):
  for a, b in zip(actual, expected, strict=True):
    np.testing.assert_array_equal(a, b)


def test_the_result_has_a_frame_for_each_frame(finished):
  result, _ = finished
  assert result.full.shape == result.stitched.shape == FRAMES.shape
  assert result.flow.shape == (*FRAMES.shape[:3], 2)
  *arrays, holdout_psnr, carried_share, guess = result
  assert all(array.dtype == np.float32 for array in arrays)
  assert all(isinstance(array, np.ndarray) for array in arrays)
  assert (holdout_psnr, carried_share, guess) == (None, None, None)
  assert (result.full > 0).all() and (result.full < 1).all()


def test_stitched_is_the_input_outside_the_hole_and_the_network_inside(finished):
  result, _ = finished
  inside = np.broadcast_to(HOLES > 0, FRAMES.shape)
  np.testing.assert_array_equal(result.stitched[~inside], FRAMES[~inside])
  np.testing.assert_array_equal(result.stitched[inside], result.full[inside])
  assert 0 < inside.mean() < 0.5


def test_visits_and_rounds_are_reported_in_order(finished):
  result, recorder = finished
  visits = build_program(COUNT, config=small_config()).visits
  expected = []
  for visit in visits:
    expected.append(("visit", visit))
    if visit.ends_round:
      expected.append(("round", visit))
  assert recorder.events == expected and len(visits) == 6
  assert [int(state.step) for state in recorder.states] == [6, 12]
  assert_equal_results(result, recorder.results[-1])
  assert (recorder.results[0].full != result.full).any()
  for metrics in recorder.metrics:
    assert set(metrics) == {"image", "flow", "consistency", "loss"}
    assert all(values.shape == (2,) for values in metrics.values())


def test_the_same_seed_gives_the_same_bits(finished):
  again, recorder = run()
  assert_equal_results(again, finished[0])
  for metrics, others in zip(recorder.metrics, finished[1].metrics, strict=True):
    jax.tree.map(np.testing.assert_array_equal, metrics, others)


def test_another_seed_gives_another_order_noise_and_result(finished):
  result, recorder = run(config=small_config(seed=1))
  assert recorder.events != finished[1].events
  assert recorder.metrics[0]["image"][0] != finished[1].metrics[0]["image"][0]
  assert (result.full != finished[0].full).any()


def test_the_seed_decides_noise_and_parameters_independently():
  def start(seed):
    config = small_config(seed=seed)
    clip = make_training_clip(FRAMES, HOLES, KNOWN, config=config).device
    program = build_program(COUNT, config=config)
    state = program.start(clip)
    return np.asarray(clip.noise), np.asarray(state.params["heads"]["kernel"])

  first, again, other = start(0), start(0), start(1)
  for a, b, c in zip(first, again, other, strict=True):
    np.testing.assert_array_equal(a, b)
    assert (a != c).mean() > 0.99


def test_a_resumed_run_equals_the_uninterrupted_one(finished):
  result, recorder = run(resume_from=lambda fresh: finished[1].states[0])
  assert_equal_results(result, finished[0])
  assert recorder.events == finished[1].events[4:]
  jax.tree.map(np.testing.assert_array_equal, recorder.states, finished[1].states[1:])


def test_resuming_is_offered_the_fresh_state_and_may_decline(finished):
  seen = []

  def decline(fresh):
    seen.append(int(fresh.step))

  result, _ = run(resume_from=decline)
  assert seen == [0]
  assert_equal_results(result, finished[0])


def test_resuming_a_finished_run_only_renders(finished):
  result, recorder = run(resume_from=lambda fresh: finished[1].states[1])
  assert_equal_results(result, finished[0])
  assert recorder.events == []


def test_the_flow_is_the_first_strides_in_pixels(finished):
  """Frame 2 is rendered from the window that starts at frame 0."""
  program = build_program(COUNT, config=small_config())
  params = jax.tree.map(jnp.asarray, finished[1].states[-1].params)
  noise = make_training_clip(FRAMES, HOLES, KNOWN, config=small_config()).device.noise
  outputs = program.model.apply({"params": params}, noise[:5])
  scale = flow_scale(KNOWN[0].forward, KNOWN[0].backward)
  expected = np.asarray(outputs.flow)[2, ..., :2] * scale
  np.testing.assert_allclose(finished[0].flow[2], expected, rtol=1e-4, atol=1e-5)
  assert scale > 1


@pytest.fixture(scope="module")
def without_hole():
  return run(holes=np.zeros_like(HOLES))


def test_without_a_hole_it_is_pure_reconstruction(without_hole):
  result, recorder = without_hole
  np.testing.assert_array_equal(result.stitched, FRAMES)
  for metrics in recorder.metrics:
    assert (metrics["consistency"] == 0).all()
    expected = metrics["image"] + 0.1 * metrics["flow"]
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-6)


def test_what_is_in_the_hole_does_not_reach_the_network(finished):
  rubbish = np.where(HOLES > 0, np.random.default_rng(0).random(FRAMES.shape), FRAMES)
  result, _ = run(frames=rubbish)
  assert_equal_results(result, finished[0])


def test_frames_of_double_precision_are_the_same_frames(finished):
  result, _ = run(frames=FRAMES.astype(np.float64), holes=HOLES.astype(bool))
  assert_equal_results(result, finished[0])


def test_estimates_the_flow_itself_where_none_is_given():
  config = small_config(max_updates=2)
  result, _ = run(config=config, known=None)
  estimated = estimate_video_flow(FRAMES, strides=(1, 3))
  given, _ = run(config=config, known=estimated)
  assert_equal_results(result, given)


def test_all_four_losses_with_the_real_vgg16():
  config = small_config(perceptual_weight=0.01, max_updates=2)
  _, recorder = run(config=config)
  (metrics,) = recorder.metrics
  assert set(metrics) == {"image", "flow", "consistency", "perceptual", "loss"}
  assert metrics["perceptual"][0] > 0
  total = sum(
    weight * metrics[name]
    for name, weight in {
      "image": 1,
      "flow": 0.1,
      "consistency": 1,
      "perceptual": 0.01,
    }.items()
  )
  np.testing.assert_allclose(metrics["loss"], total, rtol=1e-6)


def test_max_updates_ends_the_run_exactly_there_and_renders(finished):
  """After two batches, without the median batch."""
  result, recorder = run(config=small_config(max_updates=4))
  first, second = (event[1] for event in finished[1].events[:2])
  last = second._replace(ends_round=True)
  assert recorder.events == [("visit", first), ("visit", last), ("round", last)]
  assert int(recorder.states[0].step) == 4
  assert_equal_results(result, recorder.results[0])


def broken(array, value):
  array = array.copy()
  array[3, 4, 5] = value
  return array


@pytest.mark.parametrize(
  ("frames", "holes", "said"),
  [
    (broken(FRAMES, np.nan), HOLES, r"finite and in \[0, 1\], in the hole too"),
    (broken(FRAMES, np.inf), HOLES, "finite"),
    (broken(FRAMES, 1.01), HOLES, r"in \[0, 1\]"),
    (broken(FRAMES, -0.01), HOLES, r"in \[0, 1\]"),
    (np.uint8(FRAMES * 255), HOLES, "uint8; divide by 255"),
    (FRAMES[..., :1], HOLES, r"frames must be \[T, H, W, 3\]"),
    (FRAMES[0], HOLES[0], r"frames must be \[T, H, W, 3\]"),
    (FRAMES, HOLES[:-1], r"hole_masks must be \(14, 12, 16, 1\)"),
    (FRAMES, HOLES[..., 0], r"hole_masks must be \(14, 12, 16, 1\)"),
    (FRAMES, broken(HOLES, 0.5), "0 .* or 1"),
    (FRAMES, HOLES * 255, "0 .* or 1"),
    (FRAMES, broken(HOLES, np.nan), "0 .* or 1"),
    (FRAMES[:4], HOLES[:4], "4 frames"),
  ],
)
def test_bad_arrays_are_refused_in_one_line(frames, holes, said):
  with pytest.raises(InputError, match=said) as error:
    run(frames=frames, holes=holes)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  "known",
  [
    KNOWN[:1],
    KNOWN[::-1],
    random_video_flow(COUNT, SIZE, (1, 2)),
    random_video_flow(COUNT + 1, SIZE, (1, 3)),
    random_video_flow(COUNT, (16, 12), (1, 3)),
  ],
  ids=["stride missing", "order", "other strides", "other clip", "other size"],
)
def test_flow_of_another_clip_is_refused(known):
  with pytest.raises(InputError, match=r"strides=\(1, 3\)\) makes it"):
    run(known=known)


def test_the_config_is_checked_first():
  with pytest.raises(InputError, match=r"config\.rounds"):
    run(frames=None, config=small_config(rounds=0))


def test_frames_that_do_not_suit_the_levels_are_refused():
  with pytest.raises(InputError, match=r"size=12x16 .* does not suit levels=3"):
    run(config=small_config(levels=3))


@pytest.mark.parametrize(
  "values",
  [
    {"batches_per_round": 5, "batches_per_call": 2},
    {
      **{"schedule": "frames", "batch_size": 1, "strides": (1,)},
      **{"flow_weight": 0.0, "consistency_weight": 0.0, "batches_per_round": 3},
    },
  ],
  ids=["rounds", "frames"],
)
def test_any_state_that_is_offered_leads_to_the_same_end(values):
  """In the middle of a round, too, where no result is made."""
  config = small_config(**values)
  known = KNOWN if config.losses.flow_weight else ()
  program = build_program(COUNT, config=config)

  def run_from(state):
    recorder = Recorder(lambda fresh: state)
    result = inpaint_video(
      *(FRAMES, HOLES),
      config=config,
      video_flow=known,
      program=program,
      callbacks=recorder,
    )
    return result, recorder.offered

  result, offered = run_from(None)
  steps = [int(state.step) for _, state in offered]
  assert steps == sorted(set(steps))
  within = [state for visit, state in offered if not visit.ends_round]
  assert len(within) >= 4
  for state in (within[0], within[-1]):
    again, later = run_from(state)
    assert_equal_results(again, result)
    jax.tree.map(np.testing.assert_array_equal, later[-1], offered[-1])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_frames_of_other_floating_types(monkeypatch, dtype):
  """They are float32 from the door on, as their mask."""
  seen = []

  def stop(frames, hole_masks, *_, **__):
    seen.extend([frames.dtype, hole_masks.dtype])
    raise InterruptedError

  monkeypatch.setattr(pipeline, "make_training_clip", stop)
  with pytest.raises(InterruptedError):
    run(FRAMES.astype(jnp.dtype(dtype)), HOLES.astype(jnp.dtype(dtype)))
  assert seen == [np.float32, np.float32]


@pytest.mark.parametrize("recipe", ["flow", "fast"])
def test_a_run_in_a_program_of_64_bits_and_strict_promotion(recipe):
  """The clip on the device, and the types of its updates."""
  config = load_config(recipe, levels=1, perceptual_weight=0.0)
  known = KNOWN if recipe == "flow" else KNOWN[:1]
  with jax.enable_x64(), jax.numpy_dtype_promotion("strict"):
    program = build_program(COUNT, config=config)
    clip = make_training_clip(FRAMES, HOLES, known, config=config).device
    key, batches = jax.random.key(0), np.zeros((1, 3), np.int32)
    state = jax.eval_shape(program.create_state, key, clip.noise[:1])
    visit = functools.partial(program.fit_visits, inner_steps=2)
    after, metrics = jax.eval_shape(visit, state, clip, batches)
  types = {str(x.dtype) for x in jax.tree.leaves((clip, after, metrics))}
  assert types <= {"float32", "int32", "bool"}
