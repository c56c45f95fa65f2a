"""The folder of flow-weight training: what it refuses, and its resume file."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dipvid_jax.errors import InputError
from dipvid_jax.flow_weights.folder import FlowRunFolder
from dipvid_jax.flow_weights.trainer import check_export
from dipvid_jax.storage.checkpoints import Checkpoints
from flow.pwcnet.network import make_network
from flow.training import TrainState, make_learning_rate, make_optimizer

SETTINGS = {"variant": "small", "strides": [1, 3]}


def begun(path, state):
  folder = FlowRunFolder(path)
  folder.begin(SETTINGS)
  checkpoints = Checkpoints(folder.checkpoints, keep=1)
  checkpoints.save(state)
  checkpoints.close()
  folder.pack(int(state.step))
  return folder


def small_state(step=3):
  opt_state = (jnp.ones(2, jnp.bfloat16),)
  return TrainState({"w": jnp.arange(4.0)}, opt_state, jnp.int32(step))


def restored(folder, like):
  checkpoints = Checkpoints(folder.checkpoints)
  state = checkpoints.restore_latest(like, on_damaged=lambda *_: pytest.fail("damaged"))
  checkpoints.close()
  return state


def test_the_resume_file_of_the_full_network_is_at_most_60_megabytes(tmp_path):
  frame = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  network = make_network("full")
  params = jax.eval_shape(network.init, jax.random.key(0), frame, frame)["params"]
  optimizer = make_optimizer(make_learning_rate(1.0, updates=1, warm_up=0))
  shapes = TrainState(
    params, jax.eval_shape(optimizer.init, params), jax.ShapeDtypeStruct((), jnp.int32)
  )
  random = np.random.default_rng(0)  # noise, which no archive compresses

  def fill(leaf):
    return jnp.asarray(random.standard_normal(leaf.shape, np.float32), leaf.dtype)

  state = jax.tree.map(fill, shapes)._replace(step=jnp.int32(12))
  folder = begun(tmp_path / "run", state)
  assert 50e6 < folder.resume_file.stat().st_size <= 60e6
  elsewhere = FlowRunFolder(tmp_path / "elsewhere")
  elsewhere.unpack(folder.resume_file)
  elsewhere.resume(SETTINGS)
  jax.tree.map(np.testing.assert_array_equal, restored(elsewhere, state), state)


def test_a_run_is_never_overwritten(tmp_path):
  folder = begun(tmp_path, small_state())
  for attempt in (lambda: folder.begin(SETTINGS), lambda: folder.unpack("any.tar")):
    with pytest.raises(InputError, match="holds another run"):
      attempt()
  assert int(restored(folder, small_state()).step) == 3


def test_a_run_without_a_checkpoint_may_start_over(tmp_path):
  folder = FlowRunFolder(tmp_path)
  folder.begin(SETTINGS)
  folder.metrics.write_text('{"update": 2}\n')
  folder.begin(SETTINGS | {"variant": "full"})
  assert not folder.metrics.exists()
  folder.resume(SETTINGS | {"variant": "full"})


@pytest.mark.parametrize("held", ["settings.json", "metrics.jsonl"])
def test_files_that_no_training_wrote_are_not_replaced(tmp_path, held):
  (tmp_path / "mine").mkdir()
  (tmp_path / "mine" / held).write_text('{"editor.tabSize": 2}')
  archive = begun(tmp_path / "run", small_state()).resume_file
  folder = FlowRunFolder(tmp_path / "mine")
  for attempt in (lambda: folder.begin(SETTINGS), lambda: folder.unpack(archive)):
    with pytest.raises(InputError, match=rf"holds {held}, which no training wrote"):
      attempt()
  assert (tmp_path / "mine" / held).read_text() == '{"editor.tabSize": 2}'


def test_a_resume_file_that_was_kept_alone_is_continued_and_not_replaced(tmp_path):
  run = begun(tmp_path / "run", small_state())
  alone = FlowRunFolder(tmp_path / "alone")
  alone.path.mkdir()
  run.resume_file.rename(alone.resume_file)
  with pytest.raises(InputError, match="holds another run"):
    alone.begin(SETTINGS)
  alone.unpack(alone.resume_file)
  assert int(restored(alone, small_state()).step) == 3


def test_exported_weights_replace_nothing_but_weights(tmp_path):
  (tmp_path / "notes.npz").write_text("mine")
  for path in (tmp_path, tmp_path / "notes.npz"):
    with pytest.raises(InputError, match="holds no weights"):
      check_export(path)
  with (tmp_path / "weights.npz").open("wb") as file:
    np.savez(file, variant=np.array("small"))
  check_export(tmp_path / "weights.npz")
  check_export(tmp_path / "new.npz")


def test_a_run_is_not_resumed_with_other_settings(tmp_path):
  folder = begun(tmp_path, small_state())
  folder.resume(SETTINGS)
  with pytest.raises(InputError, match=r"variant \(small there, full here\)"):
    folder.resume(SETTINGS | {"variant": "full"})


def test_a_folder_without_a_run_is_refused_in_one_line(tmp_path):
  with pytest.raises(InputError, match="holds no run to resume"):
    FlowRunFolder(tmp_path).resume(SETTINGS)


def test_a_bad_resume_file_is_refused_in_one_line(tmp_path):
  path = tmp_path / "resume.tar"
  folder = FlowRunFolder(tmp_path / "run")
  with pytest.raises(InputError, match=r"resume\.tar: cannot be unpacked"):
    folder.unpack(path)
  path.write_bytes(b"not an archive")
  with pytest.raises(InputError, match="copy it again") as caught:
    folder.unpack(path)
  assert "\n" not in str(caught.value)
