"""Shapes in annotations: the tests check them, a user's program does not."""

import os
import pathlib
import subprocess
import sys

import jax.numpy as jnp
import jaxtyping
import pytest

from dipvid_jax import masked_l2_loss
from dipvid_jax.networks.upsample_conv import upsample_convolve
from flow import backward_warp, visible_mask

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_WRONG = """
import jax.numpy as jnp
from dipvid_jax.networks import upsample_conv
x, kernel = jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 2, 5))
print(upsample_conv.upsample_convolve(x, kernel).shape)
"""


def zeros(*shape):
  return jnp.zeros(shape, jnp.float32)


@pytest.mark.parametrize(
  ("function", "arguments"),
  [
    (masked_l2_loss, (zeros(2, 4, 6, 3), zeros(2, 4, 6, 3), zeros(2, 4, 6, 3))),
    (masked_l2_loss, (zeros(2, 4, 6, 3), zeros(2, 6, 4, 3), zeros(2, 4, 6, 1))),
    (backward_warp, (zeros(2, 4, 6, 3), zeros(2, 4, 6, 3))),
    (visible_mask, (zeros(2, 4, 6, 2), zeros(3, 4, 6, 2))),
    (upsample_convolve, (zeros(1, 4, 4, 2), zeros(3, 3, 3, 5))),
    (upsample_convolve, (zeros(1, 4, 4, 2).astype(jnp.int32), zeros(3, 3, 2, 5))),
  ],
)
def test_a_wrong_shape_or_dtype_fails(function, arguments):
  with pytest.raises(jaxtyping.TypeCheckError):
    function(*arguments)


def test_a_users_program_checks_nothing():
  """Neither beartype nor the checks are loaded by the library itself."""
  code = _WRONG + "import sys; print('beartype' in sys.modules)"
  done = subprocess.run(
    [sys.executable, "-c", code],
    env={**os.environ, "PYTHONPATH": str(_ROOT)},
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stdout.split() == ["(1,", "8,", "8,", "5)", "False"]
