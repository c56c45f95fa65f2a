"""`bin/train-flow`: runs, resumed runs, their weights, and refused input."""

import errno
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.cli import train_flow
from dipvid_jax.errors import DivergedError, InputError
from dipvid_jax.flow_weights.trainer import FlowSettings, FlowTrainer
from flow.procedural import FlowPair
from tests.support.flow_pairs import write_moving_pair
from tests.support.quick_compile import quick_compile  # noqa: F401
from tests.support.tiny_network import LevelsOnly


@pytest.fixture(autouse=True)
def quick_programs(monkeypatch):
  """Replaces what compiles slowly: pairs are moving noise, the network is small."""

  def draw(key, *, height, width, strides, family):
    noise = jax.random.uniform(key, (height, width, 3))
    step = 3 if family == "training" else 2
    flow = jnp.zeros((height, width, 2)).at[..., 0].set(step * strides[0])
    visible = jnp.ones((height, width, 1)).at[:, -step:].set(0)
    return FlowPair(noise, jnp.roll(noise, step, axis=1), flow, visible)

  monkeypatch.setattr("flow.training.step.draw_pair", draw)
  monkeypatch.setattr(
    "dipvid_jax.flow_weights.trainer.make_network", lambda *_, **__: LevelsOnly()
  )


FLAGS = [
  *("--variant", "small", "--height", "64", "--width", "64", "--batch-size", "1"),
  *("--updates", "2", "--updates-per-call", "1", "--warm-up", "0"),
  *("--robust-from", "1", "--strides", "1", "--evaluation-pairs", "2"),
]


def rows_of(folder):
  lines = (folder / "metrics.jsonl").read_text().splitlines()
  return [json.loads(line) for line in lines]


def weights_of(path):
  with np.load(path) as file:
    return dict(file)


def test_a_run_in_two_stretches_equals_the_run_in_one(tmp_path, capsys):
  whole, begun, moved = (tmp_path / name for name in ("whole", "begun", "moved"))
  files = {path: str(path / "weights.npz") for path in (whole, begun, moved)}
  pair = write_moving_pair(tmp_path)

  def train(path, *more):
    outputs = ("--output", str(path), "--export", files[path])
    return train_flow.main([*FLAGS, *outputs, *more])

  assert train(whole, "--sintel-pair", *pair, "--evaluate-every", "1") == 0
  assert train(begun, "--max-seconds", "0") == 0
  assert "stopped at update 1" in capsys.readouterr().out
  assert train(moved, "--resume-from", str(begun / "resume.tar")) == 0
  assert "resumes at update 1" in capsys.readouterr().out
  one, two = weights_of(files[whole]), weights_of(files[moved])
  assert one.keys() == two.keys()
  for name, array in one.items():
    np.testing.assert_array_equal(two[name], array)
  early = weights_of(files[begun])
  assert any((early[name] != one[name]).any() for name in one if name != "variant")

  rows = rows_of(whole)
  assert [(row["update"], row.get("estimator")) for row in rows] == [
    (0, "dis"),
    *((1, None), (1, "trained")),
    *((2, None), (2, "trained")),
  ]
  for row in rows:
    assert all(np.isfinite(row[key]) for key in row if key != "estimator")
    if "estimator" in row:
      assert {"training_all", "held_out_visible", "known_pair"} <= row.keys()
  assert rows[0]["known_pair"] < 0.5  # DIS finds the known motion
  again = [row for row in rows_of(moved) if row["update"] == 2]
  for key in ("loss", "held_out_all"):
    values = [next(r[key] for r in some if key in r) for some in (again, rows[3:])]
    assert values[0] == values[1]


@pytest.mark.parametrize(
  ("flags", "said"),
  [
    (["--height", "100"], "height: must be a multiple of 64"),
    (["--updates", "0"], "updates: must be 1 or more"),
    (["--learning-rate", "nan"], "learning_rate: must be above 0"),
    (["--strides", "-1"], "strides: must be above 0"),
    (["--evaluate-every", "0"], "--evaluate-every: must be 1 or more"),
    (["--resume"], "holds no run to resume"),
    (["--resume-from", "nowhere.tar"], "nowhere.tar: cannot be unpacked"),
    (["--sintel-pair", "a.png", "b.png", "ab.flo"], "a.png"),
  ],
)
def test_bad_input_is_refused_in_one_line(tmp_path, capsys, flags, said):
  assert train_flow.main(["--output", str(tmp_path / "out"), *flags]) == 2
  line = capsys.readouterr().err
  assert said in line and line.count("\n") == 1


def test_an_unknown_variant_or_dtype_is_refused():
  with pytest.raises(InputError, match="variant must be one of full, small"):
    FlowSettings(variant="huge").check()
  with pytest.raises(InputError, match="dtype of float32, bfloat16"):
    FlowSettings(dtype="float16").check()


def test_a_non_finite_loss_stops_the_run(tmp_path, monkeypatch):
  settings = FlowSettings(height=64, width=64, batch_size=1, updates=2)
  monkeypatch.setattr(
    "dipvid_jax.flow_weights.trainer.evaluation_pairs", lambda *_, **__: None
  )
  monkeypatch.setattr(
    "dipvid_jax.flow_weights.trainer.evaluate_flow", lambda *_, **__: {"all": 1.0}
  )

  def fit(state, data_key, *, updates):
    return state, {"loss": np.array([np.nan])}

  monkeypatch.setattr(
    "dipvid_jax.flow_weights.trainer.make_fit_flow", lambda *_, **__: fit
  )
  trainer = FlowTrainer(settings, tmp_path)
  with pytest.raises(DivergedError, match="learning-rate"):
    trainer.run(updates_per_call=1, evaluate_every=1)
  trainer.close()
  assert [row["update"] for row in rows_of(tmp_path)] == [0]


def test_a_full_disk_keeps_the_checkpoint_and_says_so(tmp_path, monkeypatch, capsys):
  output = tmp_path / "out"
  assert train_flow.main([*FLAGS, "--output", str(output), "--max-seconds", "0"]) == 0
  held = {path.name for path in (output / "checkpoints").iterdir()}

  def refuse(self, state):
    raise OSError(errno.ENOSPC, "No space left on device", str(output))

  monkeypatch.setattr("dipvid_jax.flow_weights.trainer.Checkpoints.save", refuse)
  assert train_flow.main([*FLAGS, "--output", str(output), "--resume"]) == 2
  line = capsys.readouterr().err
  assert "No space left on device" in line and line.count("\n") == 1
  assert held == {path.name for path in (output / "checkpoints").iterdir()} == {"1"}
