"""What is set up before JAX starts, and whether JAX has a device then."""

import contextlib
import importlib.metadata
import os
import sys
import warnings
from pathlib import Path

import cv2
import jax
import jaxlib
from jax._src import xla_bridge
from jax.experimental.compilation_cache import compilation_cache

from flow.errors import InputError
from flow.machine import cpu_count

# This fusion library makes the convolutions of this program 1.5 to 1.8 times slower
# on the CPU and has open reports of wrong results (jax-ml/jax 39103, 39257).
_NO_FUSION_LIBRARY = "--xla_cpu_experimental_ynn_fusion_type="
# XLA aborts at a flag that it does not know.
_KNOWN_TO = ((0, 10), (0, 11))
_DETERMINISTIC = "--xla_gpu_deterministic_ops=true"
# From jaxlib 0.11 on the program that draws pairs of frames can stop for ever on a CPU,
# where threads that run parts of it wait for convolutions that wait for them.
_ONE_THREAD_AN_OPERATION = "--xla_cpu_multi_thread_eigen=false"
_STOPS = ((0, 11),)
# They compile the addition of a float to one in memory to a loop of retries on NVIDIA
# GPUs (jax-ml/jax 38806); 0.11.1 does not, nor does any before them.
_SLOW_SCATTERS = ((0, 10, 2), (0, 11, 0))
# One open report (jax-ml/jax 40633): wrong values and NaN on this GPU; 0.10.2 is right.
_DOUBTED, _DOUBTED_ON = ((0, 11, 0), (0, 11, 1)), "RTX A6000"
_ADVISED = "pip install 'jax[cuda12]==0.10.1' (or cuda13)"
# JAX refuses to start on a GPU if both are set.
_MEMORY_SHARE = ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION")
_USUAL_SHARE = 0.75
_GPU_PLUGINS = ("jax-cuda12-plugin", "jax-cuda13-plugin", "jax-rocm7-plugin")


def set_up_jax(*, deterministic: bool = False, threads: int | None = None) -> None:
  """Sets XLA's flags and caches compiled programs on disk for later runs.

  Call it before JAX starts, which the first array or `jax.devices()` does; to import
  JAX is not yet to start it. Later only the cache, and OpenCV's threads where none are
  asked for, still change: XLA has read its flags and its number of threads. Types are
  left alone (`jax_enable_x64`, `jax_numpy_dtype_promotion`).

  The cache is in `$XDG_CACHE_HOME/dipvid_jax` or `~/.cache/dipvid_jax`;
  `JAX_COMPILATION_CACHE_DIR` names another folder, or turns it off if it is empty. A
  folder that the program has set itself (`jax_compilation_cache_dir`) is kept.

  Args:
    deterministic: see `set_xla_flags`.
    threads: see `set_threads`; None: no more than CPUs that the process may use.

  Warns:
    RuntimeWarning: JAX has started, and what has no effect any more.
  """
  if late := _set_up(deterministic=deterministic, threads=threads):
    warnings.warn(
      f"JAX has started, so {' and '.join(late)} cannot take effect any more; call"
      " set_up_jax before the first array",
      RuntimeWarning,
      stacklevel=2,
    )


def set_up_command(
  *,
  deterministic: bool = False,
  threads: int | None = None,
  draws_pairs: bool = False,
) -> None:
  """Sets up JAX for a command, whose process is its own.

  A command computes in 32 bits with JAX's usual promotion of types, whatever the
  environment says (`JAX_ENABLE_X64`), so that its results do not depend on it.

  Args:
    deterministic, threads: as in `set_up_jax`.
    draws_pairs: see `set_xla_flags`.
  """
  _set_up(deterministic=deterministic, threads=threads, draws_pairs=draws_pairs)
  jax.config.update("jax_enable_x64", False)
  jax.config.update("jax_numpy_dtype_promotion", "standard")


def _set_up(
  *, deterministic: bool, threads: int | None, draws_pairs: bool = False
) -> list[str]:
  """Sets up what still can be; returns what is asked for in vain."""
  late = []
  if not _has_started():
    set_xla_flags(deterministic=deterministic, draws_pairs=draws_pairs)
  elif missing := _missing_flags(deterministic=deterministic, draws_pairs=draws_pairs):
    late.append(" ".join(missing))
  limit_threads(cpu_count())
  if threads is not None and not set_threads(threads):
    late.append(f"threads={threads}")
  _cache_programs()
  return late


def _cache_programs() -> None:
  """Keeps compiled programs on disk, unless the program has a cache of its own."""
  if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    if jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]
      return
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    jax.config.update("jax_compilation_cache_dir", str(caches / "dipvid_jax"))
    compilation_cache.reset_cache()  # JAX looks for one at its first compilation alone
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def cpu_threads() -> int:
  """Threads of XLA's CPU backend, whose number decides the last bits of its results.

  XLA reads the environment when JAX starts: `PJRT_NPROC`, then `NPROC`, then the CPUs
  that the process may use, without a container's quota. A value that is no number
  counts as missing.
  """
  usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
  return _asked_threads() or usable or os.cpu_count() or 1


def set_threads(threads: int) -> bool:
  """Gives OpenCV, and XLA's CPU backend unless JAX has started, a number of threads.

  Args:
    threads: at least 1; comes before what the user set.

  Returns:
    Whether XLA has that number now. Once JAX has started nothing is changed.
  """
  if _has_started():
    return cpu_threads() == threads
  os.environ["PJRT_NPROC"] = str(threads)
  cv2.setNumThreads(threads)
  return True


def limit_threads(cpus: int) -> None:
  """Gives OpenCV and XLA no more threads than CPUs that the process may use.

  Both count the machine's CPUs, whatever a container may use of them; threads beyond
  its quota only wait for each other. What the user set (`NPROC`) is kept, for both.

  Args:
    cpus: from `flow.machine.cpu_count`.
  """
  asked = _asked_threads()
  if asked or cpus < cv2.getNumThreads():
    cv2.setNumThreads(asked or cpus)
  if cpus < (os.cpu_count() or 1) and not asked and not _has_started():
    os.environ["PJRT_NPROC"] = str(cpus)


def _has_started() -> bool:
  # A private name: JAX has no public access to it.
  return xla_bridge.backends_are_initialized()


def _asked_threads() -> int | None:
  """The number that the environment asks XLA for; None where it says nothing."""
  for name in ("PJRT_NPROC", "NPROC"):
    with contextlib.suppress(ValueError):
      return max(1, int(os.environ.get(name, "")))
  return None


def memory_share() -> float:
  """The share of a GPU's memory that JAX takes when it starts, or at most."""
  for name in _MEMORY_SHARE:
    with contextlib.suppress(ValueError):
      return float(os.environ.get(name, ""))
  return _USUAL_SHARE


def share_device(part: float) -> None:
  """Leaves the rest of a GPU's memory to other processes that use a part of it.

  Without it the first process takes three quarters, and the second has too little.
  What the user set is kept.

  Args:
    part: of the GPU that is this process's, below 1; before JAX starts.
  """
  if not any(os.environ.get(name) for name in _MEMORY_SHARE):
    os.environ[_MEMORY_SHARE[0]] = f"{_USUAL_SHARE * part:.3f}"


def check_device() -> None:
  """Starts JAX, so that a platform which it cannot start on is one line.

  Says so if this version of JAX is known to be slow on the device, or reported to be
  wrong.

  Raises:
    InputError: JAX has no device.
  """
  try:
    (device, *_) = jax.devices()
  except (RuntimeError, AssertionError) as error:  # the latter without any words
    asked = os.environ.get("JAX_PLATFORMS", "")
    reason = " ".join(str(error).split("(set JAX_PLATFORMS")[0].split())
    raise InputError(
      f"JAX_PLATFORMS={asked}: JAX cannot start there"
      f" ({reason or 'it has no plugin for it'}); for a GPU install dipvid_jax[cuda12]"
      " or [cuda13], or set JAX_PLATFORMS=cpu"
    ) from error
  if _is_cuda(device) and (doubt := _doubt(device)):
    print(f"JAX {jaxlib.__version__} {doubt}: {_ADVISED}", file=sys.stderr)


def _doubt(device: jax.Device) -> str:
  """Why another version of JAX is better on an NVIDIA GPU; empty if none is known."""
  version = jaxlib.version.__version_info__[:3]
  if version in _DOUBTED and _DOUBTED_ON in device.device_kind:
    return (
      f"is reported to compute wrong values on an {_DOUBTED_ON} (jax-ml/jax 40633),"
      " 0.10.1 is older than that"
    )
  if version in _SLOW_SCATTERS:
    return (
      "is slow on NVIDIA GPUs where gradients meet in one pixel, as those of the flow"
      " losses do (jax-ml/jax 38806), 0.10.1 is not"
    )
  return ""


def _is_cuda(device: jax.Device) -> bool:
  """AMD's GPUs have the same platform's name."""
  return device.platform == "gpu" and "cuda" in device.client.platform_version.lower()


def set_xla_flags(*, deterministic: bool = False, draws_pairs: bool = False) -> None:
  """Adds this program's flags to `XLA_FLAGS`; flags that the user set are kept.

  Args:
    deterministic: makes GPU runs repeatable bit for bit, at some cost in speed.
    draws_pairs: the program runs `flow.procedural`, which some versions of XLA never
      finish on a CPU with several threads an operation.
  """
  missing = _missing_flags(deterministic=deterministic, draws_pairs=draws_pairs)
  os.environ["XLA_FLAGS"] = " ".join([*_given_flags(), *missing])


def _missing_flags(*, deterministic: bool, draws_pairs: bool) -> list[str]:
  """Flags that this program wants and about which the environment says nothing."""
  wanted = []
  version = jaxlib.version.__version_info__[:2]
  if _runs_on_cpu() and version in _KNOWN_TO:
    wanted.append(_NO_FUSION_LIBRARY)
  if _runs_on_cpu() and draws_pairs and version in _STOPS:
    wanted.append(_ONE_THREAD_AN_OPERATION)
  if deterministic and not _runs_on_cpu():
    wanted.append(_DETERMINISTIC)
  names = {flag.split("=")[0] for flag in _given_flags()}
  return [flag for flag in wanted if flag.split("=")[0] not in names]


def _given_flags() -> list[str]:
  return os.environ.get("XLA_FLAGS", "").split()


def _runs_on_cpu() -> bool:
  own = jax.config.jax_platforms  # type: ignore[attr-defined]
  platforms = os.environ.get("JAX_PLATFORMS") or own
  if platforms:
    return platforms.split(",")[0] == "cpu"
  return not any(map(_is_installed, _GPU_PLUGINS))


def _is_installed(package: str) -> bool:
  try:
    importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return False
  return True
