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
    jax_setup.set_up_command()
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
  with pytest.warns(RuntimeWarning, match="so threads=6 cannot take effect any more"):
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


def run_alone(code, **environment):
  """Runs Python code in a process where JAX has not started; returns what it prints."""
  inherited = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
  done = subprocess.run(
    [sys.executable, "-c", code],
    env=inherited | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  return done.stdout.splitlines(), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads the names of threads")
def test_xla_starts_the_threads_that_it_is_told():
  """Whatever the environment says for other programs."""
  printed, _ = run_alone(_STARTED, NPROC="5")
  assert printed == ["3 3 False"]


_EMBEDDED = """
import os, sys, warnings
import jax, jax.numpy as jnp
import dipvid_jax

if os.environ["STARTED"]:
  jnp.ones(3) + 1
flags = os.environ["XLA_FLAGS"]
with warnings.catch_warnings(record=True) as caught:
  warnings.simplefilter("always")
  dipvid_jax.set_up_jax(threads=int(os.environ["THREADS"]))
  dipvid_jax.set_up_jax()
for warning in caught:
  print(warning.category.__name__, warning.message, sep=": ", file=sys.stderr)
print("flags", os.environ["XLA_FLAGS"] != flags)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
jax.jit(lambda x: jnp.sin(x) + 2)(jnp.ones(7))
print("type", jnp.asarray(1.0).dtype)
"""


@pytest.mark.parametrize("started", ["", "yes"])
def test_a_program_of_another_kind_sets_up_jax(tmp_path, started):
  """Programs are cached, even if JAX has compiled before; flags cannot come later."""
  environment = {"XLA_FLAGS": "", "JAX_ENABLE_X64": "1", "STARTED": started}
  environment |= {"XDG_CACHE_HOME": str(tmp_path), "THREADS": "97"}
  printed, said = run_alone(_EMBEDDED, **environment)
  assert printed == [f"flags {not started}", "type float64"]
  assert any((tmp_path / "dipvid_jax").iterdir())
  if not started:
    assert not said
    return
  first, second = said.splitlines()
  late = "--xla_cpu_experimental_ynn_fusion_type="
  assert first == (
    f"RuntimeWarning: JAX has started, so {late} and threads=97 cannot take effect any"
    " more; call set_up_jax before the first array"
  )
  assert late in second and "threads" not in second


def test_a_cache_of_the_program_is_kept(monkeypatch):
  monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
  mine = jax.config.jax_compilation_cache_dir
  assert mine
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
  jax_setup.set_up_jax()
  assert jax.config.jax_compilation_cache_dir == mine
  assert jax.config.jax_persistent_cache_min_compile_time_secs == 0


def test_a_platform_of_the_program_decides_on_the_flags(monkeypatch):
  """Not only one of the environment."""
  monkeypatch.setenv("XLA_FLAGS", "")
  monkeypatch.delenv("JAX_PLATFORMS")
  monkeypatch.setattr(jax_setup, "_is_installed", lambda package: True)
  assert jax.config.jax_platforms == "cpu"
  jax_setup.set_xla_flags(deterministic=True)
  assert os.environ["XLA_FLAGS"] == "--xla_cpu_experimental_ynn_fusion_type="


@pytest.mark.parametrize(
  ("version", "added"), [((0, 10, 2), False), ((0, 11, 2), True)]
)
def test_training_of_flow_keeps_to_one_thread_an_operation_where_it_would_stop(
  monkeypatch, version, added
):
  monkeypatch.setattr(jax_setup.jaxlib.version, "__version_info__", version)
  flag = "--xla_cpu_multi_thread_eigen"
  for given in ("", f"{flag}=true"):
    monkeypatch.setenv("XLA_FLAGS", given)
    jax_setup.set_xla_flags(draws_pairs=True)
    assert os.environ["XLA_FLAGS"].count(flag) == bool(added or given)
    assert (f"{flag}=false" in os.environ["XLA_FLAGS"]) == (added and not given)
  monkeypatch.setenv("XLA_FLAGS", "")
  jax_setup.set_xla_flags()
  assert flag not in os.environ["XLA_FLAGS"]
