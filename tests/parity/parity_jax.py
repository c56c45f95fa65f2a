"""The JAX side of the parity tests: NumPy in and out, types kept."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np

from dipvid_jax.model import EncoderDecoder
from dipvid_jax.types import Outputs


@contextlib.contextmanager
def precision(bits: int):
  """float64, or float32 without shortcuts in products."""
  with jax.enable_x64(bits == 64), jax.default_matmul_precision("highest"):
    yield


def as_jax(tree):
  """Every array of a tree as a JAX array."""
  return jax.tree.map(jnp.asarray, tree)


def as_numpy(tree):
  """Every array of a tree as a NumPy array."""
  return jax.tree.map(np.asarray, tree)


def cast(tree, dtype):
  """Every array of a tree in another type."""
  return jax.tree.map(lambda array: np.asarray(array, dtype), tree)


def raw_outputs(outputs: Outputs) -> jax.Array:
  """Image and flow side by side, `[N, H, W, 3 + F]`."""
  return jnp.concatenate([outputs.image, outputs.flow], axis=-1)


def make_model(*, levels: int, out_channels: int, ndim: int = 2) -> EncoderDecoder:
  """The generator by the number of its head's channels."""
  return EncoderDecoder(
    flow_channels=out_channels - 3, levels=levels, temporal=ndim == 3
  )


def forward_and_gradients(model, params, noise, cotangent):
  """Outputs, and the gradients of their product with `cotangent`.

  Returns:
    `(outputs [N, H, W, C], gradients of params, gradient of noise)` in NumPy.
  """

  @jax.jit
  def run(params, noise, cotangent):
    def function(params, noise):
      outputs = raw_outputs(model.apply({"params": params}, noise))
      return jnp.sum(outputs * cotangent), outputs

    grads, outputs = jax.grad(function, argnums=(0, 1), has_aux=True)(params, noise)
    return outputs, *grads

  return as_numpy(run(*as_jax((params, noise, cotangent))))
