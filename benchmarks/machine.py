"""What a benchmark ran on: the machine, the versions and the device's peak rates."""

import datetime
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

_PACKAGES = (
  "jax",
  "jaxlib",
  "flax",
  "optax",
  "numpy",
  "torch",
  "opencv-python-headless",
)


def describe() -> dict[str, Any]:
  """Names the machine, the date and the versions.

  Returns:
    Values that JSON can hold.
  """
  device = jax.devices()[0]
  # JAX adds its options' attributes at run time.
  precision = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
  return {
    "date": datetime.date.today().isoformat(),
    "device": device.device_kind if device.platform != "cpu" else _processor(),
    "platform": device.platform,
    "cores": len(os.sched_getaffinity(0)),
    "python": platform.python_version(),
    "versions": {name: _version(name) for name in _PACKAGES},
    "xla_flags": os.environ.get("XLA_FLAGS", ""),
    "matmul_precision": str(precision),
  }


def _processor() -> str:
  for line in Path("/proc/cpuinfo").read_text().splitlines():
    if line.startswith("model name"):
      return line.split(":", 1)[1].strip()
  return platform.processor()


def _version(package: str) -> str | None:
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return None


def measure_peaks(*, repeats: int = 5, dry: bool = False) -> dict[str, float]:
  """Times a large matrix product and a large copy on the default device.

  Args:
    repeats: timed calls of each; the fastest is taken as the device's limit.
    dry: with tiny arrays, only to see that it runs.

  Returns:
    `matmul_gflops` per second in float32, and `copy_gbytes` per second, reads and
    writes added.
  """
  on_cpu = jax.default_backend() == "cpu"
  side, words = (3072, 2**26) if on_cpu else (8192, 2**30)
  if dry:
    side, words = 64, 2**10
  matrix = jax.random.normal(jax.random.key(0), (side, side))
  vector = jnp.ones(words)
  product = _fastest(jax.jit(lambda x: x @ x), matrix, repeats)
  copy = _fastest(jax.jit(lambda x: x + 1), vector, repeats)
  return {
    "matmul_gflops": round(2 * side**3 / product / 1e9, 1),
    "copy_gbytes": round(2 * 4 * words / copy / 1e9, 1),
  }


def _fastest(
  function: Callable[[jax.Array], jax.Array], argument: jax.Array, repeats: int
) -> float:
  jax.block_until_ready(function(argument))
  times = []
  for _ in range(repeats):
    began = time.perf_counter()
    jax.block_until_ready(function(argument))
    times.append(time.perf_counter() - began)
  return min(times)
