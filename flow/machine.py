"""CPUs and memory that this process may use, in a container as well.

A container sees all of its machine in /proc; its own limits are those of its cgroups,
and a limit of every group above it counts too.
"""

import functools
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_ROOT = Path("/")
_VERSION_2 = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
_CACHE = ("inactive_file", "active_file")  # the kernel takes it back when asked


class FreeMemory(NamedTuple):
  """Memory that can be had now.

  Attributes:
    free: bytes.
    total: bytes of the limit that leaves so little.
    holder: whose limit it is: "machine" or "container".
  """

  free: int
  total: int
  holder: str


def free_memory(root: Path = _ROOT) -> FreeMemory | None:
  """Asks the machine, and each limit of the container, what is free.

  Args:
    root: where /proc and /sys are.

  Returns:
    The smallest; None where the system says nothing.
  """
  found = [_of_machine(root), *_of_groups(root)]
  return min((one for one in found if one), key=lambda one: one.free, default=None)


@functools.cache
def cpu_count(root: Path = _ROOT) -> int:
  """CPUs that this process may use at a time: by affinity and by the cgroups' quotas.

  Args:
    root: where /proc and /sys are.

  Returns:
    At least 1; a part of a CPU counts as one.
  """
  own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
  quotas = [math.ceil(share) for share in _cpu_shares(root)]
  return max(1, min([own or os.cpu_count() or 1, *quotas]))


def _of_machine(root: Path) -> FreeMemory | None:
  lines = _lines(root / "proc/meminfo")
  held = {name: 1024 * int(rest.split()[0]) for name, _, rest in lines if rest.split()}
  if not {"MemAvailable", "MemTotal"} <= set(held):
    return None
  return FreeMemory(held["MemAvailable"], held["MemTotal"], "machine")


def _of_groups(root: Path) -> Iterator[FreeMemory | None]:
  for folder in _groups(root, "memory", version=2):
    yield _of_group(folder, "memory.max", "memory.current", prefix="")
  for folder in _groups(root, "memory", version=1):
    names = "memory.limit_in_bytes", "memory.usage_in_bytes"
    yield _of_group(folder, *names, prefix="total_")


def _of_group(
  folder: Path, limit_name: str, used_name: str, *, prefix: str
) -> FreeMemory | None:
  limit, used = (_number(folder / name) for name in (limit_name, used_name))
  if limit is None or used is None or limit >= 2**60:  # version 1 has no word for none
    return None
  statistics = (line.split() for line in _text(folder / "memory.stat").splitlines())
  held = {words[0]: int(words[1]) for words in statistics if len(words) == 2}
  cache = sum(held.get(prefix + name, 0) for name in _CACHE)
  return FreeMemory(max(0, limit - max(0, used - cache)), limit, "container")


def _cpu_shares(root: Path) -> Iterator[float]:
  """CPUs' worth of time that each group allows, where it sets a limit."""
  for folder in _groups(root, "cpu", version=2):
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
      yield int(quota) / int(period)
  for folder in _groups(root, "cpu", version=1):
    allowed = _number(folder / "cpu.cfs_quota_us")
    interval = _number(folder / "cpu.cfs_period_us")
    if allowed and interval and allowed > 0:
      yield allowed / interval


def _groups(root: Path, controller: str, *, version: int) -> Iterator[Path]:
  """The folders of this process's group and of all above it."""
  for number, _, rest in _lines(root / "proc/self/cgroup"):
    controllers, _, path = rest.partition(":")
    if version == 2 and number == "0" and not controllers:
      mounts = _VERSION_2
    elif version == 1 and controller in controllers.split(","):
      mounts = (f"sys/fs/cgroup/{controller}", f"sys/fs/cgroup/{controllers}")
    else:
      continue
    own = Path(path.strip().lstrip("/"))
    if ".." in own.parts:  # of another name space
      own = Path()
    for mount in mounts:
      # Inside a container its own group is often mounted as the root.
      for part in (own, *own.parents) if own.parts else (own,):
        if (root / mount / part).is_dir():
          yield root / mount / part


def _lines(path: Path) -> list[tuple[str, str, str]]:
  return [line.partition(":") for line in _text(path).splitlines()]


def _text(path: Path) -> str:
  try:
    return path.read_text()
  except (OSError, UnicodeDecodeError):
    return ""


def _number(path: Path) -> int | None:
  text = _text(path).strip()
  return int(text) if text.lstrip("-").isdigit() else None
