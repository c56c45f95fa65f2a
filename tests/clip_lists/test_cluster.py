"""What each task asks for, and what is said where no node could give it."""

import types

import pytest

from dipvid_jax.clip_lists.on_ray.cluster import Cluster
from dipvid_jax.clip_lists.on_ray.memory import memory_of
from dipvid_jax.errors import InputError
from dipvid_jax.method.recipes import load_config
from tests.support.clip_list import write_clips

_EIGHT = {"CPU": 64.0, "GPU": 8.0, "memory": 5e11}
_LAPTOP = {"CPU": 2.0, "memory": 8e9}
_HEAD = {"memory": 8e9}


def asked(nodes, *, cpus=None, gpus=None):
  """A cluster of these nodes, to which nothing is connected."""
  cluster = object.__new__(Cluster)
  cluster._address = "auto"
  held = [{"Alive": True, "Resources": node} for node in nodes]
  held.append({"Alive": False, "Resources": {"CPU": 512.0, "GPU": 64.0}})
  cluster._ray = types.SimpleNamespace(nodes=lambda: held)
  cluster._ask_for(cpus, gpus)
  return cluster


@pytest.mark.parametrize(
  ("nodes", "flags", "expected"),
  [
    ([_EIGHT], {}, (8, 1, 8)),
    ([_EIGHT, _EIGHT, _HEAD], {}, (8, 1, 16)),
    ([_EIGHT], {"gpus": 0.5}, (4, 0.5, 16)),
    ([_EIGHT], {"gpus": 2.0}, (16, 2, 4)),
    ([_EIGHT], {"gpus": 0.0}, (4, 0, 16)),
    ([_EIGHT], {"cpus": 16}, (16, 1, 4)),
    ([_LAPTOP], {}, (2, 0, 1)),
    ([_LAPTOP, _HEAD], {"cpus": 1}, (1, 0, 2)),
  ],
)
def test_a_task_gets_its_share_of_a_node(nodes, flags, expected):
  cluster = asked(nodes, **flags)
  assert (cluster.cpus, cluster.gpus, cluster.slots) == expected
  assert f"up to {expected[2]} tasks" in cluster.describe()
  assert cluster.most_pending >= 2 * cluster.slots


@pytest.mark.parametrize(
  ("flags", "said"),
  [
    ({"gpus": 1.0}, "--gpus-per-clip 1: no node of auto has more than 0 GPUs"),
    ({"cpus": 3}, "--cpus-per-clip 3: no node of auto has more than 2 cores"),
  ],
)
def test_what_no_node_has_is_refused(flags, said):
  with pytest.raises(InputError, match=said):
    asked([_LAPTOP, _HEAD], **flags)


def test_memory_is_asked_for_by_what_headers_state(tmp_path):
  write_clips(tmp_path, {"a": 6, "long": 60})
  needed = {
    name: memory_of(
      load_config(
        "fast", video=str(tmp_path / f"{name}.mp4"), mask="m", output="o", levels=1
      ),
      on_gpu=False,
    )
    for name in ("a", "long", "words", "none")
  }
  assert 4e8 < needed["a"] < needed["long"] < 4e9
  assert needed["words"] == needed["none"] == 0
