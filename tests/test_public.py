"""What `import dipvid_jax` promises: names, signatures, documentation."""

import inspect

import pytest

import dipvid_jax
from tests.support.signatures import (
  parameters_of,
  positional_settings,
  public_functions,
  undocumented,
)

FUNCTIONS = public_functions(dipvid_jax)
# After the habit of jax.random, and a property of the frames before it.
EXCEPTIONS = {"draw_noise": ["shape"], "write_video": ["frame_rate"]}
PROMISED = {
  "masked_l2_loss": ("prediction", "target", "hole_mask"),
  "flow_loss": ("prediction", "target", "hole_mask", "visible"),
  "consistency_loss": ("warped", "reference", "hole_mask", "in_bounds"),
  "perceptual_loss": ("prediction_features", "target_features", "hole_masks"),
  "create_train_state": ("key", "*", "model", "optimizer", "sample"),
  "make_train_step": ("model", "optimizer", "*", "losses"),
  "fit_batch": ("state", "batch", "*", "train_step", "inner_steps"),
  "inpaint_video": ("frames", "hole_masks", "*", "config"),
}


def written_signature(function):
  """Parameter names, with `*` where the keyword-only ones begin."""
  names = []
  for parameter in parameters_of(function):
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY and "*" not in names:
      names.append("*")
    names.append(parameter.name)
  return tuple(names)


def test_all_names_exist_once_and_in_order():
  assert list(dipvid_jax.__all__) == sorted(set(dipvid_jax.__all__))
  assert all(hasattr(dipvid_jax, name) for name in dipvid_jax.__all__)
  assert {"EncoderDecoder", "TrainState", "DivergedError"} <= set(dipvid_jax.__all__)


@pytest.mark.parametrize("name", PROMISED)
def test_the_promised_signatures_hold(name):
  signature = written_signature(FUNCTIONS[name])
  assert signature[: len(PROMISED[name])] == PROMISED[name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_after_the_arrays_are_keyword_only(name):
  function = FUNCTIONS[name]
  settings = [
    n for n in positional_settings(function) if n not in EXCEPTIONS.get(name, [])
  ]
  assert settings == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_documented(name):
  assert undocumented(FUNCTIONS[name]) == []


def test_the_habit_is_checked():
  def careless(frames, steps: int, *, seed):
    """Does something.

    Args:
      frames: an array.
    """

  assert positional_settings(careless) == ["steps"]
  lacking = ["steps", "seed", "return annotation", "Returns:"]
  assert undocumented(careless) == lacking
