"""JAX as the commands set it up, and what they say where it cannot start."""

import os
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


def a_device(platform, version):
  client = types.SimpleNamespace(platform_version=version)
  return types.SimpleNamespace(platform=platform, client=client)


@pytest.mark.parametrize(
  ("device", "version", "warned"),
  [
    (a_device("gpu", "PJRT C API\ncuda 12080"), (0, 10, 2), True),
    (a_device("gpu", "PJRT C API\ncuda 13000"), (0, 11, 0), True),
    (a_device("gpu", "PJRT C API\ncuda 12080"), (0, 11, 1), False),
    (a_device("gpu", "PJRT C API\ncuda 12080"), (0, 10, 1), False),
    (a_device("gpu", "PJRT C API\nrocm 70000"), (0, 10, 2), False),
    (a_device("cpu", "cpu"), (0, 10, 2), False),
  ],
)
def test_a_version_that_is_slow_on_the_device_is_named(
  monkeypatch, capsys, device, version, warned
):
  monkeypatch.setattr(jax_setup.jax, "devices", lambda: [device])
  monkeypatch.setattr(jax_setup.jaxlib.version, "__version_info__", version)
  jax_setup.check_device()
  said = capsys.readouterr().err
  assert bool(said) == warned
  if warned:
    assert "0.11.1" in said and said.count("\n") == 1


def test_commands_compute_in_32_bits_whatever_the_environment_says():
  with jax.enable_x64(), jax.numpy_dtype_promotion("strict"):
    jax_setup.set_up_jax()
  assert not jax.config.jax_enable_x64
  assert jax.config.jax_numpy_dtype_promotion == "standard"


def test_threads_are_no_more_than_cpus(monkeypatch):
  set_to = []
  monkeypatch.setattr(jax_setup.cv2, "getNumThreads", lambda: 8)
  monkeypatch.setattr(jax_setup.cv2, "setNumThreads", set_to.append)
  monkeypatch.setattr(jax_setup.os, "cpu_count", lambda: 8)
  monkeypatch.setenv("PJRT_NPROC", "")  # so that it is put back
  for given, cpus, threads in ((None, 8, None), (None, 3, "3"), ("2", 3, None)):
    monkeypatch.delenv("PJRT_NPROC", raising=False)
    monkeypatch.delenv("NPROC", raising=False)
    if given:
      monkeypatch.setenv("NPROC", given)
    jax_setup.limit_threads(cpus)
    assert os.environ.get("PJRT_NPROC") == threads
  assert set_to == [3, 3]
