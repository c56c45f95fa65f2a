"""JAX as the commands set it up, and what they say where it cannot start."""

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


def test_commands_compute_in_32_bits_whatever_the_environment_says():
  with jax.enable_x64(), jax.numpy_dtype_promotion("strict"):
    jax_setup.set_up_jax()
  assert not jax.config.jax_enable_x64
  assert jax.config.jax_numpy_dtype_promotion == "standard"
