"""What every test needs: JAX on the CPU, as the command sets it up, and strict."""

import gc
import os

# JAX reads it when it is imported.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jaxtyping
import pytest

# Functions whose annotations state shapes are held to them, in the tests alone.
CHECKED = (
  "dipvid_jax.networks",
  "dipvid_jax.propagation",
  "dipvid_jax.training.batching",
  "dipvid_jax.training.holdout",
  "dipvid_jax.training.losses",
  "dipvid_jax.training.network_input",
  "dipvid_jax.training.objective",
  "dipvid_jax.training.render",
  "dipvid_jax.training.step",
  "flow.completion",
  "flow.consistency",
  "flow.flo_files",
  "flow.pwcnet.correlation",
  "flow.refinement",
  "flow.scenes",
  "flow.taps",
  "flow.training.losses",
  "flow.warp",
)
jaxtyping.install_import_hook(CHECKED, "beartype.beartype")

from dipvid_jax.jax_setup import set_xla_flags  # noqa: E402

set_xla_flags()
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure(config):
  """Lets pass what orbax leaves behind where a checkpoint does not fit.

  It stops at the first array that it cannot read, and closes the event loop while
  the others are still being read.
  """
  for left_behind in (
    "(?s)Exception ignored .*Event loop is closed",
    "(?s)Exception ignored .*_read_array_index_and_device_put",
  ):
    config.addinivalue_line(
      "filterwarnings", f"ignore:{left_behind}:pytest.PytestUnraisableExceptionWarning"
    )


@pytest.fixture(scope="session", autouse=True)
def compilation_cache(tmp_path_factory):
  """Compiles each program once for all tests: most of their time is compilation."""
  folder = str(tmp_path_factory.mktemp("xla"))
  os.environ["JAX_COMPILATION_CACHE_DIR"] = folder  # the commands leave it alone
  jax.config.update("jax_compilation_cache_dir", folder)
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
  jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture(scope="session", autouse=True)
def garbage():
  """Collects what `pytest_configure` lets pass while its filters still hold."""
  yield
  gc.collect()


@pytest.fixture
def own_checks():
  """Leaves wrong shapes to the library's own checks, as its users have it."""
  jaxtyping.config.update("jaxtyping_disable", True)
  yield
  jaxtyping.config.update("jaxtyping_disable", False)
