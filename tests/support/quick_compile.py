"""Large programs that run once in a test: compiling them well takes longest."""

import jax
import pytest

# With jaxlib 0.11.2 and two threads, a program compiled so never ends: the threads of
# XLA:CPU wait for each other.
CAN_WAIT_FOR_EVER = jax.__version_info__ >= (0, 11)


@pytest.fixture(scope="module", autouse=True)
def quick_compile():
  """Compiles what the module's tests use without most optimisations, where safe."""
  jax.config.update("jax_disable_most_optimizations", not CAN_WAIT_FOR_EVER)
  yield
  jax.clear_caches()  # other modules compare what such programs compute, to the bit
  jax.config.update("jax_disable_most_optimizations", False)
