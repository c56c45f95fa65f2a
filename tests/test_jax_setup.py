"""JAX as the commands set it up, and what they say where it cannot start."""

import os
import subprocess
import sys
import types

import jax
import pytest

from dipvid_jax import jax_setup
from dipvid_jax.cli import inpaint
from dipvid_jax.errors import InputError


@pytest.mark.parametrize(
  ("error", "words"),
  [
    (AssertionError(), r"\(it has no plugin for it\); .* dipvid_jax\[cuda12\]"),
    (
      RuntimeError("CUDA failed:\nno driver (set JAX_PLATFORMS='' to choose)"),
      r"\(CUDA failed: no driver\); .*JAX_PLATFORMS=cpu$",
    ),
  ],
)
def test_a_platform_without_a_device_is_one_line(monkeypatch, capsys, error, words):
  def devices():
    raise error

  monkeypatch.setenv("JAX_PLATFORMS", "cuda")
  monkeypatch.setattr(jax_setup.jax, "devices", devices)
  with pytest.raises(InputError, match=rf"^JAX_PLATFORMS=cuda: .*{words}"):
    jax_setup.check_device()
  assert inpaint.main(["--video", "a.mp4", "--mask", "m.png", "--output", "o"]) == 2
  said = capsys.readouterr().err
  assert said.startswith("inpaint: JAX_PLATFORMS=cuda: ") and said.count("\n") == 1


def a_device(platform, version, kind="NVIDIA H100"):
  client = types.SimpleNamespace(platform_version=version)
  return types.SimpleNamespace(platform=platform, client=client, device_kind=kind)


A6000 = a_device("gpu", "PJRT C API\ncuda 13000", "NVIDIA RTX A6000")


@pytest.mark.parametrize(
  ("device", "version", "warned"),
  [
    (a_device("gpu", "PJRT C API\ncuda 12080"), (0, 10, 2), "slow"),
    (a_device("gpu", "PJRT C API\ncuda 13000"), (0, 11, 0), "slow"),
    (a_device("gpu", "PJRT C API\ncuda 12080"), (0, 11, 1), ""),
    (a_device("gpu", "PJRT C API\ncuda 12080"), (0, 10, 1), ""),
    (a_device("gpu", "PJRT C API\nrocm 70000"), (0, 10, 2), ""),
    (a_device("cpu", "cpu"), (0, 10, 2), ""),
    (A6000, (0, 10, 2), "slow"),
    (A6000, (0, 11, 0), "wrong values"),
    (A6000, (0, 11, 1), "wrong values"),
    (A6000, (0, 11, 2), ""),
  ],
)
def test_a_version_that_is_slow_or_in_doubt_on_the_device_is_named(
  monkeypatch, capsys, device, version, warned
):
  monkeypatch.setattr(jax_setup.jax, "devices", lambda: [device])
  monkeypatch.setattr(jax_setup.jaxlib.version, "__version_info__", version)
  jax_setup.check_device()
  said = capsys.readouterr().err
  assert warned in said and bool(said) == bool(warned)
  if warned:
    assert "==0.10.1" in said and said.count("\n") == 1


_SHARES = ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION")


@pytest.mark.parametrize(
  ("asked", "share"),
  [({}, 0.375), ({_SHARES[0]: "0.2"}, 0.2), ({_SHARES[1]: "0.3"}, 0.3)],
)
def test_half_a_gpu_has_half_the_memory_unless_the_user_asks(monkeypatch, asked, share):
  """JAX does not start where both are set."""
  for name in _SHARES:
    monkeypatch.setenv(name, "")  # so that it is put back
    monkeypatch.delenv(name)
  for name, value in asked.items():
    monkeypatch.setenv(name, value)
  jax_setup.share_device(0.5)
  assert sum(bool(os.environ.get(name)) for name in _SHARES) == 1
  assert jax_setup.memory_share() == share


def test_commands_compute_in_32_bits_whatever_the_environment_says():
  with jax.enable_x64(), jax.numpy_dtype_promotion("strict"):
    jax_setup.set_up_jax()
  assert not jax.config.jax_enable_x64
  assert jax.config.jax_numpy_dtype_promotion == "standard"


@pytest.fixture
def threads(monkeypatch):
  """A machine of 8 CPUs before JAX has started; the numbers that OpenCV is given."""
  given = []
  monkeypatch.setattr(jax_setup.cv2, "getNumThreads", lambda: 8)
  monkeypatch.setattr(jax_setup.cv2, "setNumThreads", given.append)
  monkeypatch.setattr(jax_setup.os, "cpu_count", lambda: 8)
  monkeypatch.setattr(jax_setup.os, "sched_getaffinity", lambda _: set(range(8)))
  monkeypatch.setattr(jax_setup.xla_bridge, "backends_are_initialized", lambda: False)
  for name in ("PJRT_NPROC", "NPROC"):
    monkeypatch.setenv(name, "")  # so that it is put back
    monkeypatch.delenv(name)
  return given


@pytest.mark.parametrize(
  ("asked", "cpus", "count", "opencv"),
  [
    ({}, 8, 8, []),
    ({}, 3, 3, [3]),
    ({"NPROC": "2"}, 3, 2, [2]),
    ({"NPROC": "9"}, 3, 9, [9]),
    ({"NPROC": "9", "PJRT_NPROC": "4"}, 3, 4, [4]),
    ({"NPROC": "many"}, 3, 3, [3]),
    ({"NPROC": "2", "PJRT_NPROC": ""}, 3, 2, [2]),
    ({"NPROC": "0"}, 3, 1, [1]),
  ],
)
def test_threads_are_no_more_than_cpus_unless_the_user_asks(
  threads, monkeypatch, asked, cpus, count, opencv
):
  for name, value in asked.items():
    monkeypatch.setenv(name, value)
  jax_setup.limit_threads(cpus)
  assert jax_setup.cpu_threads() == count
  assert threads == opencv


def test_threads_can_be_set_before_jax_starts_alone(threads, monkeypatch):
  monkeypatch.setenv("NPROC", "2")
  jax_setup.set_up_jax(threads=5)
  assert jax_setup.cpu_threads() == 5 and threads[-1] == 5
  monkeypatch.setattr(jax_setup.xla_bridge, "backends_are_initialized", lambda: True)
  assert not jax_setup.set_threads(6)
  assert jax_setup.set_threads(5)
  jax_setup.set_up_jax(threads=6)
  jax_setup.limit_threads(1)
  assert jax_setup.cpu_threads() == 5 and set(threads[1:]) == {5}


_STARTED = """
import os, jax
from pathlib import Path
from dipvid_jax.jax_setup import cpu_threads, set_threads, set_up_jax

set_up_jax(threads=3)
jax.devices()
names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
print(sum("XLAEigen" in name for name in names), cpu_threads(), set_threads(2))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the names of threads")
def test_xla_starts_the_threads_that_it_is_told():
  """Whatever the environment says for other programs."""
  done = subprocess.run(
    [sys.executable, "-c", _STARTED],
    env=os.environ | {"NPROC": "5", "PYTHONPATH": os.pathsep.join(sys.path)},
    capture_output=True,
    text=True,
  )
  assert done.stdout.split() == ["3", "3", "False"], done.stderr
