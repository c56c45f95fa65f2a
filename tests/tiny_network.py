"""A variant of PWC-Net that compiles in seconds."""

import pytest

from flow.pwc_net import VARIANTS

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
