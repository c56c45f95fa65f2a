"""Networks that compile in seconds: a variant of PWC-Net, and what stands for it."""

import flax.linen as nn
import jax.numpy as jnp
import pytest

from flow.pwcnet.network import VARIANTS

TINY = {
  "encoder_channels": (4,) * 6,
  "decoder_channels": (4,),
  "context_channels": (4,) * 6,
}


@pytest.fixture
def tiny(monkeypatch):
  """Its name, known as a variant while the test runs."""
  monkeypatch.setitem(VARIANTS, "tiny", TINY)
  return "tiny"


class LevelsOnly(nn.Module):
  """Stands for PWC-Net: the same interface, a convolution for every level."""

  def __call__(self, first, second):
    finest = self.levels(first, second)[-1]
    return 20 * jnp.repeat(jnp.repeat(finest, 4, axis=1), 4, axis=2)

  @nn.compact
  def levels(self, first, second):
    both = jnp.concatenate([first, second], axis=-1)
    flows = []
    for level in (6, 5, 4, 3, 2):
      side = 2**level
      x = nn.avg_pool(both, (side, side), (side, side))
      flows.append(nn.Conv(2, (1, 1), name=f"level{level}")(x))
    return flows
