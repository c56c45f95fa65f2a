"""What `import dipvid_jax` promises: names, signatures, documentation."""

import os
import pathlib
import pkgutil
import subprocess
import sys

import pytest

import dipvid_jax
import flow
from tests.support.signatures import (
  positional_settings,
  promised,
  public_functions,
  undocumented,
)

FUNCTIONS = public_functions(dipvid_jax)
# After the habit of jax.random, and a property of the frames before it.
EXCEPTIONS = {"draw_noise": ["shape"], "write_video": ["frame_rate"]}
_ROOT = pathlib.Path(__file__).resolve().parents[1]
_SURFACE = pathlib.Path(__file__).with_name("public_surface.txt")


def test_all_names_exist_once_and_in_order():
  assert list(dipvid_jax.__all__) == sorted(set(dipvid_jax.__all__))
  assert all(hasattr(dipvid_jax, name) for name in dipvid_jax.__all__)
  assert {"EncoderDecoder", "TrainState", "DivergedError"} <= set(dipvid_jax.__all__)


@pytest.mark.parametrize("package", [dipvid_jax, flow], ids=["dipvid_jax", "flow"])
def test_no_public_name_is_also_a_module(package):
  """`import package.name` and `package.name` would be two things."""
  modules = {info.name for info in pkgutil.iter_modules(package.__path__)}
  assert not modules & set(package.__all__)


def test_names_and_signatures_are_the_promised_ones():
  """A change belongs into the CHANGELOG; then `python -m tests.support.signatures`."""
  assert promised().splitlines() == _SURFACE.read_text().splitlines()


def test_another_package_named_flow_is_told_from_ours(tmp_path):
  (tmp_path / "flow.py").write_text("")
  done = subprocess.run(
    [sys.executable, "-c", "import dipvid_jax"],
    cwd=tmp_path,
    env={**os.environ, "PYTHONPATH": f"{tmp_path}:{_ROOT}"},
    capture_output=True,
    text=True,
  )
  last = done.stderr.strip().splitlines()[-1]
  assert done.returncode == 1
  assert f"the package flow at {tmp_path / 'flow.py'} is not the one" in last


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
