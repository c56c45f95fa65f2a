"""The examples for programs that embed the library run as they stand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dipvid_jax
from tests.support.examples import code_of, examples
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.synthetic import moving_hole, translating_clip

PAGE = "docs/embedding.md"
# What an example is recognised by; each has a test.
NAMES = {
  "set up": "set_up_jax()",
  "callbacks": "class Watch",
  "loop": "def charbonnier",
  "arrays": "make_render",
  "foreign training": "backward_warp",
  "several clips": "shard_map",
  "random numbers": "augmented_step",
  "not finite": "apply_if_finite",
  "Hessian": "hessian_times",
}


def run(name, page=PAGE, **changes):
  """Runs an example with a small network and clip; returns its names."""
  code = code_of(page, NAMES.get(name, name)).replace("levels=5", "levels=1")
  names = {
    "frames": translating_clip(6, (12, 16), step=(1, 0)),
    "hole_masks": moving_hole(6, (12, 16)),
  }
  names |= changes
  exec(compile(code, page, "exec"), names)
  return names


def assert_trained(metrics, names=("image",)):
  """The losses of ten updates, the last below the first."""
  metrics = jax.device_get(metrics)
  assert set(metrics) == {*names, "loss"}
  assert all(np.isfinite(values).all() for values in metrics.values())
  first, *_, last = np.moveaxis(metrics["image"], -1, 0)
  assert metrics["image"].shape[-1] == 10 and (last < first).all()


def test_every_example_has_a_test():
  for code in examples(PAGE):
    assert sum(words in code for words in NAMES.values()) == 1, code


def test_setting_up_leaves_types_alone():
  """JAX has started here, with the flags that the call would set."""
  with jax.enable_x64():
    run("set up")
    assert jnp.ones(1).dtype == jnp.float64


def test_the_callbacks_follow_a_run(capsys):
  watch = run("callbacks")["Watch"]()
  small = {"levels": 1, "max_updates": 2, "inner_steps": 1, "strides": (1,)}
  config = dipvid_jax.load_config("vid", **small)
  arrays = translating_clip(6, (12, 16), step=(1, 0)), moving_hole(6, (12, 16))
  dipvid_jax.inpaint_video(*arrays, config=config, callbacks=watch)
  printed = capsys.readouterr().out.splitlines()
  assert [line.split()[0] for line in printed] == ["1", "2"]
  assert int(watch.kept.step) == 2


def test_a_loss_of_ones_own_in_a_scan_of_ones_own():
  names = run("loop")
  assert names["state"].step == 10
  assert set(names["metrics"]) == {"image", "loss"}
  # A hole makes no difference to the loss that took the place of the image loss.
  outputs = dipvid_jax.Outputs(image=names["clip"].frames, flow=None)
  assert names["charbonnier"](outputs, names["clip"]) == pytest.approx(1e-3, rel=1e-3)


def test_the_readmes_scan_trains():
  names = run("jax.lax.scan", page="README.md")
  assert names["state"].step == 10
  assert_trained(names["metrics"], ("image", "smooth"))


def test_arrays_become_a_trained_network_without_a_config():
  names = run("arrays")
  assert_trained(names["metrics"], ("image", "flow", "consistency"))
  assert names["image"].shape == (6, 12, 16, 3)


def test_the_losses_train_pixels_in_another_loop():
  hole = np.zeros((6, 24, 32, 1), np.float32)
  hole[:, 9:15, 12:17] = 1
  truth = translating_clip(6, (24, 32), step=(3, 0))
  names = run("foreign training", frames=truth, hole_masks=hole)
  history = names["history"]
  assert len(history) == 20 and history[-1] < 0.5 * history[0]
  filled, grey = (
    dipvid_jax.hole_psnr(np.asarray(pixels), truth, hole)
    for pixels in (names["pixels"], np.full_like(truth, 0.5))
  )
  assert filled > grey + 3


def test_several_clips_are_trained_at_once():
  names = run("several clips")
  assert names["states"].step.tolist() == [10, 10]
  assert names["metrics"]["image"].shape == (2, 10)
  assert_trained(names["metrics"])


def test_random_numbers_reach_the_model_and_the_batch():
  names = run("random numbers")
  assert names["state"].step == 10
  assert set(names["metrics"]) == {"image", "loss"}
  outputs = names["model"].apply({"params": names["state"].params}, names["noise"])
  assert outputs.image.shape == (6, 12, 16, 3)


def test_the_optimizer_leaves_out_what_is_not_finite():
  optimizer = run("not finite")["optimizer"]
  params = jnp.ones(2)
  grads = jnp.array([1.0, jnp.nan])
  updates, state = optimizer.update(grads, optimizer.init(params), params)
  assert (updates == 0).all() and state.notfinite_count == 1


def test_a_hessian_is_reverse_over_reverse():
  names = run("Hessian")
  frames, hole = jnp.ones((1, 2, 2, 3)), jnp.zeros((1, 2, 2, 1))

  def loss(scale):
    return dipvid_jax.masked_l2_loss(scale * frames, 0 * frames, hole)

  assert names["hessian_times"](loss, jnp.float32(3), jnp.float32(5)) == 10
