"""CPUs and memory, as the files of machines and containers state them."""

import os

import cv2
import pytest

from flow.machine import FreeMemory, cpu_count, free_memory

GIB = 2**30
MACHINE = {
  "proc/meminfo": f"MemTotal: {32 * 2**20} kB\nMemFree: 1 kB\n"
  f"MemAvailable:  {20 * 2**20} kB\nHugePages_Total:   0\n"
}
STAT = "anon 5\ninactive_file {0}\nactive_file {0}\nhierarchical_memory_limit 9\n"


def version_2(folder, *, limit, used, cache=0):
  return {
    f"{folder}/memory.max": f"{limit}\n",
    f"{folder}/memory.current": f"{used}\n",
    f"{folder}/memory.stat": STAT.format(cache),
  }


def version_1(folder, *, limit, used, cache=0):
  statistics = f"inactive_file 7\ntotal_inactive_file {cache}\ntotal_active_file 0\n"
  return {
    f"{folder}/memory.limit_in_bytes": f"{limit}\n",
    f"{folder}/memory.usage_in_bytes": f"{used}\n",
    f"{folder}/memory.stat": statistics,
  }


def write(root, files):
  for name, text in files.items():
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
  return root


OWN_2 = {"proc/self/cgroup": "0::/\n"}
NESTED_2 = {"proc/self/cgroup": "0::/kubepods/pod1/c1\n"}
OWN_1 = {"proc/self/cgroup": "4:memory:/docker/c1\n3:cpu,cpuacct:/docker/c1\n0::/\n"}
NO_LIMIT_1 = 9223372036854771712


@pytest.mark.parametrize(
  ("files", "expected"),
  [
    ({}, (20 * GIB, 32 * GIB, "machine")),
    # Version 2: Docker's own group is the root; the cache can be taken back.
    (
      OWN_2 | version_2("sys/fs/cgroup", limit=4 * GIB, used=3 * GIB, cache=GIB),
      (3 * GIB, 4 * GIB, "container"),
    ),
    (
      OWN_2 | version_2("sys/fs/cgroup", limit="max", used=3 * GIB),
      (20 * GIB, 32 * GIB, "machine"),
    ),
    # A limit far above what the machine has left.
    (
      OWN_2 | version_2("sys/fs/cgroup", limit=99 * GIB, used=GIB),
      (20 * GIB, 32 * GIB, "machine"),
    ),
    # The pod has less left than its container.
    (
      NESTED_2
      | version_2("sys/fs/cgroup/kubepods/pod1/c1", limit=8 * GIB, used=GIB)
      | version_2("sys/fs/cgroup/kubepods/pod1", limit=6 * GIB, used=5 * GIB),
      (GIB, 6 * GIB, "container"),
    ),
    # The path is the machine's, the mount the container's.
    (
      NESTED_2 | version_2("sys/fs/cgroup", limit=2 * GIB, used=GIB),
      (GIB, 2 * GIB, "container"),
    ),
    (
      OWN_1 | version_1("sys/fs/cgroup/memory/docker/c1", limit=5 * GIB, used=2 * GIB),
      (3 * GIB, 5 * GIB, "container"),
    ),
    (
      OWN_1 | version_1("sys/fs/cgroup/memory", limit=5 * GIB, used=5 * GIB, cache=GIB),
      (GIB, 5 * GIB, "container"),
    ),
    (
      OWN_1 | version_1("sys/fs/cgroup/memory", limit=NO_LIMIT_1, used=GIB),
      (20 * GIB, 32 * GIB, "machine"),
    ),
  ],
)
def test_free_memory_is_that_of_the_narrowest_limit(tmp_path, files, expected):
  assert free_memory(write(tmp_path, MACHINE | files)) == FreeMemory(*expected)


@pytest.mark.parametrize("files", [{}, {"proc/meminfo": "MemTotal: 9 kB\n\n:\n"}])
def test_a_system_that_says_nothing(tmp_path, files):
  assert free_memory(write(tmp_path, files)) is None
  assert cpu_count(tmp_path) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
  ("files", "expected"),
  [
    (OWN_2 | {"sys/fs/cgroup/cpu.max": "max 100000\n"}, 8),
    (OWN_2 | {"sys/fs/cgroup/cpu.max": "250000 100000\n"}, 3),
    (OWN_2 | {"sys/fs/cgroup/cpu.max": "1000 100000\n"}, 1),
    (OWN_2 | {"sys/fs/cgroup/cpu.max": "9900000 100000\n"}, 8),
    (
      NESTED_2
      | {
        "sys/fs/cgroup/kubepods/pod1/c1/cpu.max": "max 100000\n",
        "sys/fs/cgroup/kubepods/cpu.max": "200000 100000\n",
      },
      2,
    ),
    (
      OWN_1
      | {
        "sys/fs/cgroup/cpu,cpuacct/docker/c1/cpu.cfs_quota_us": "400000\n",
        "sys/fs/cgroup/cpu,cpuacct/docker/c1/cpu.cfs_period_us": "100000\n",
      },
      4,
    ),
    (
      OWN_1
      | {
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
      },
      8,
    ),
  ],
)
def test_cpus_are_those_of_affinity_and_quota(tmp_path, monkeypatch, files, expected):
  monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
  assert cpu_count(write(tmp_path, files)) == expected


def test_this_machine_answers():
  found = free_memory()
  assert found is not None and 0 < found.free <= found.total
  assert 1 <= cpu_count() <= cv2.getNumberOfCPUs() + os.cpu_count()
