"""`bin/benchmark --device gpu --dry-run`: every row's code, on a CPU, before a GPU.

Networks and losses are stand-ins that compile fast; other tests run the real ones.
"""

import inspect
import json
import os

import flax.linen as nn
import jax.numpy as jnp
import pytest

from benchmarks import command, flow_speed, jax_updates, stages, suites, updates, ways
from benchmarks import workers as workers_module
from benchmarks.ways import Way, as_dry
from benchmarks.workers import DryWorker, missing
from dipvid_jax import Loss, load_config
from dipvid_jax.types import Outputs
from tests.support.quick_compile import quick_compile  # noqa: F401

# The states of several networks in one program are no `TrainState`.
pytestmark = pytest.mark.usefixtures("own_checks")

try:
  import torch
except ImportError:
  torch = None

FIGURES = {"updates_per_second", "pairs_per_second", "seconds", "first_call_s"}


class Small(nn.Module):
  """Stands for the generator."""

  flow_channels: int
  levels: int

  @nn.compact
  def __call__(self, noise):
    image = nn.Conv(3, (1, 1))(noise)
    return Outputs(image, jnp.zeros((*noise.shape[:3], self.flow_channels)))


def stands_for(function, stand_in):
  """A stand-in that takes the arguments of a function and no others."""

  def called(*args, **kwargs):
    inspect.signature(function).bind(*args, **kwargs)
    return stand_in(*args, **kwargs)

  return called


@pytest.fixture
def small(monkeypatch):
  """Programs that compile fast; the environment is put back."""
  monkeypatch.setenv("JAX_PLATFORMS", os.environ["JAX_PLATFORMS"])
  monkeypatch.setenv("XLA_FLAGS", os.environ["XLA_FLAGS"])
  monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
  loss = Loss(1.0, lambda outputs, batch: ((outputs.image - batch.frames) ** 2).mean())
  for name, stand_in in {
    "EncoderDecoder": Small,
    "make_losses": lambda **_: {"image": loss},
    "add_known_features": lambda batch, **_: batch,
    "load_vgg16": lambda: (jnp.ones(3),),
  }.items():
    real = getattr(jax_updates, name)
    monkeypatch.setattr(jax_updates, name, stands_for(real, stand_in))
  monkeypatch.setattr(
    stages, "load_config", lambda _, **values: load_config("vid", **values)
  )
  estimators = flow_speed.make_estimators()
  same = dict.fromkeys(estimators, estimators["dis"])
  monkeypatch.setattr(flow_speed, "make_estimators", lambda: same)
  workers_module._build_once.cache_clear()
  threads = torch.get_num_threads() if torch else None
  yield
  workers_module._build_once.cache_clear()
  if torch:
    torch.set_num_threads(threads)


def test_every_row_of_every_suite_runs_and_none_has_a_figure(small, tmp_path, capsys):
  file = tmp_path / "rows.json"
  code = command.main(["--device", "gpu", "--dry-run", "--json", str(file)])
  said = capsys.readouterr().out
  assert code == 0, said
  rows = json.loads(file.read_text())
  assert {row["suite"] for row in rows} == set(command.SUITES)
  assert not any("error" in row for row in rows)
  ways = updates.ways(device="gpu", updates=100, losses=["all", "no_vgg"])
  expected = [(way.framework, way.variant, way.losses) for way in ways]
  found = [row for row in rows if row["suite"] == "updates"]
  keys = "framework", "variant", "losses"
  assert sorted(tuple(map(row.get, keys)) for row in found) == sorted(expected)
  assert sum(row["suite"] == "throughput" for row in rows) == 8
  assert sum(row["suite"] == "scaling" for row in rows) == 6
  for row in rows:
    assert row["dry_run"] is True and "peaks" not in row
    if "skipped" not in row:
      struck = suites._FIGURES & row.keys()
      assert struck & FIGURES and {row[key] for key in struck} == {"dry"}
  assert "DRY RUN" in said and "peaks" not in said


def test_a_row_that_fails_is_an_error_of_the_dry_run(small, monkeypatch, capsys):
  def fail(*_, **__):
    raise TypeError("a typo")

  monkeypatch.setattr(jax_updates, "take_batch", fail)
  flags = ["--device", "gpu", "--dry-run", "--suite", "throughput"]
  assert command.main(flags) == 1
  assert "TypeError: a typo" in capsys.readouterr().out


@pytest.mark.parametrize(("value", "error"), [("+WHILE", ""), ("+WHIL", "XLA rejects")])
def test_a_flag_that_a_gpu_would_reject_is_found_on_a_cpu(
  small, monkeypatch, value, error
):
  monkeypatch.setitem(ways.COMMAND_BUFFERS, "graph_loops", value)
  before = os.environ["XLA_FLAGS"]
  worker = DryWorker(as_dry(Way("jax", "graph_loops", "no_vgg", "gpu")))
  if error:
    with pytest.raises(RuntimeError, match=error):
      worker.ask("build")
  else:
    worker.ask("build")
  assert os.environ["XLA_FLAGS"] == before


def test_pytorchs_rows_are_skipped_with_the_reason_where_it_is_missing(monkeypatch):
  monkeypatch.setattr(workers_module.importlib.util, "find_spec", lambda _: None)
  way = as_dry(Way("pytorch", "tuned", "no_vgg", "gpu"))
  assert missing(way) == "PyTorch is not installed"
  (row,) = updates.measure([way], warm_ups=0, repeats=1, peaks={})
  assert row["skipped"] == missing(way) and "error" not in row
