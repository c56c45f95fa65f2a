"""What every test needs: JAX on the CPU, as the command sets it up, and strict."""

import os

# JAX reads it when it is imported.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import pytest

from dipvid_jax.cli.jax_setup import set_xla_flags

set_xla_flags()
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session", autouse=True)
def compilation_cache(tmp_path_factory):
  """Compiles each program once for all tests: most of their time is compilation."""
  folder = str(tmp_path_factory.mktemp("xla"))
  os.environ["JAX_COMPILATION_CACHE_DIR"] = folder  # the commands leave it alone
  jax.config.update("jax_compilation_cache_dir", folder)
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
  jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
