"""Large programs that run once in a test: compiling them well takes longest."""

import jax
import pytest


@pytest.fixture(scope="module", autouse=True)
def quick_compile():
  """Compiles what the module's tests use without most optimisations."""
  jax.config.update("jax_disable_most_optimizations", True)
  yield
  jax.config.update("jax_disable_most_optimizations", False)
