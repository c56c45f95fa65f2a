"""DIP: a fresh network for each frame, and the best of its outputs."""

import jax
import numpy as np
import optax

from dipvid_jax.training.batching import take_batch
from dipvid_jax.training.frame_networks import (
  best_frames,
  create_frame_networks,
  make_fit_frames,
)
from dipvid_jax.training.initial_state import make_create_state
from dipvid_jax.training.objective import make_losses
from dipvid_jax.training.step import make_update
from tests.support.synthetic import PixelGenerator, device_clip

COUNT, SIZE, UPDATES = 3, (4, 6), 6
CLIP = device_clip(COUNT, SIZE, (1,))._replace(flow=None)
MODEL = PixelGenerator(flow_channels=0)
# A rate so large that the loss rises and falls: the best is not the last.
OPTIMIZER = optax.adam(0.8)
LOSSES = make_losses(flow_weight=0.0, consistency_weight=0.0, perceptual_weight=0.0)
UPDATE = make_update(MODEL, OPTIMIZER, losses=LOSSES)
KEY = jax.random.key(3)


def fit(*, inner_steps=3, best_of_every=1, clip=CLIP):
  """The state after all frames, trained one by one."""
  create_state = make_create_state(MODEL, OPTIMIZER)
  fit_visits = make_fit_frames(
    UPDATE,
    key=KEY,
    create_state=create_state,
    frame_updates=UPDATES,
    best_of_every=best_of_every,
  )
  state = create_frame_networks(KEY, clip, create_state=create_state)
  for frame in range(COUNT):
    for _ in range(UPDATES // inner_steps):
      batches = np.array([[frame, 0, 0]], np.int32)
      state, _ = fit_visits(state, clip, batches, inner_steps=inner_steps)
  return jax.device_get(state)


def oracle(*, best_of_every=1):
  """A plain loop over frames and updates: the best images, and all losses."""
  create_state, update = make_create_state(MODEL, OPTIMIZER), jax.jit(UPDATE)
  images, histories = [], []
  for frame in range(COUNT):
    batch = take_batch(CLIP, frame, 0, 0, batch_size=1)
    state = create_state(jax.random.fold_in(KEY, frame), CLIP.noise[:1])
    best, history = (np.inf, None), []
    for i in range(UPDATES):
      state, metrics, outputs = update(state, batch)
      history.append(float(metrics["image"]))
      if i % best_of_every == 0 and history[-1] < best[0]:
        best = (history[-1], np.asarray(outputs.image[0]))
    images.append(best[1])
    histories.append(history)
  return np.stack(images), np.array(histories)


def test_each_frame_gets_its_own_network_and_the_best_of_its_outputs():
  state = fit()
  images, histories = oracle()
  assert (histories.argmin(axis=1) < UPDATES - 1).any()  # not just the last
  np.testing.assert_allclose(state.image, images, atol=1e-5)
  np.testing.assert_allclose(state.image_loss, histories.min(axis=1), rtol=1e-5)
  assert int(state.step) == COUNT * UPDATES


def test_the_papers_choice_considers_only_every_nth_output():
  state = fit(best_of_every=4)
  images, histories = oracle(best_of_every=4)
  np.testing.assert_allclose(state.image, images, atol=1e-5)
  assert (state.image_loss > histories.min(axis=1) + 1e-4).any()


def test_a_frame_does_not_depend_on_the_others():
  frames = CLIP.frames.at[0].set(0.9)
  state, other = fit(), fit(clip=CLIP._replace(frames=frames))
  np.testing.assert_array_equal(state.image[1:], other.image[1:])
  assert (state.image[0] != other.image[0]).any()


def test_updates_in_one_visit_or_several_are_the_same():
  one, several = fit(inner_steps=6), fit(inner_steps=2)
  np.testing.assert_allclose(one.image, several.image, atol=1e-6)


def test_the_result_is_the_best_frames():
  state = fit()
  windows = []
  outputs = best_frames(state, CLIP, lambda done, total: windows.append((done, total)))
  np.testing.assert_array_equal(outputs.image, state.image)
  assert outputs.flow.shape == (COUNT, *SIZE, 0)
  assert windows == [(COUNT, COUNT)]
