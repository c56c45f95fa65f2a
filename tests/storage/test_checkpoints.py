"""Checkpoints are restored exactly, and damage costs only the damaged one."""

import pathlib
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dipvid_jax.storage.checkpoints import Checkpoints
from dipvid_jax.training.step import TrainState


def state_at(step, *, width=4):
  """A state in which every number depends on the step."""
  params = {
    "conv": {"kernel": jnp.full((3, width), step + 0.5)},
    "bias": step * jnp.arange(5.0),
  }
  opt_state = optax.adam(0.01).init(params)
  return TrainState(
    params, jax.tree.map(lambda x: x + step, opt_state), jnp.int32(step)
  )


@pytest.fixture
def folder(tmp_path):
  return tmp_path / "checkpoints"


@pytest.fixture
def three_saved(folder):
  """The folder after updates 5, 10 and 15 were saved in another process."""
  checkpoints = Checkpoints(folder)
  for step in (5, 10, 15):
    checkpoints.save(state_at(step))
  checkpoints.close()
  return folder


def restore(folder, like=None):
  """`(state, steps reported as damaged)`."""
  reported = []
  checkpoints = Checkpoints(folder)
  state = checkpoints.restore_latest(
    like or state_at(0), on_damaged=lambda step, error: reported.append(step)
  )
  checkpoints.close()
  return state, reported


def assert_equal_states(actual, expected):
  assert jax.tree.structure(actual) == jax.tree.structure(expected)
  for a, b in zip(*map(jax.tree.leaves, (actual, expected)), strict=True):
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a, b)


def test_the_latest_state_is_restored(three_saved):
  state, reported = restore(three_saved)
  assert_equal_states(state, state_at(15))
  assert reported == []


def test_a_new_folder_has_no_state(folder):
  assert restore(folder) == (None, [])


@pytest.mark.parametrize("keep", [1, 2])
def test_only_the_last_few_are_kept(folder, keep):
  checkpoints = Checkpoints(folder, keep=keep)
  for step in (5, 10, 15):
    checkpoints.save(state_at(step))
  checkpoints.close()
  assert sorted(int(path.name) for path in folder.iterdir()) == [5, 10, 15][-keep:]


def cut_data(checkpoint):
  for path in (checkpoint / "default" / "d").iterdir():
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty_metadata(checkpoint):
  (checkpoint / "default" / "_METADATA").write_bytes(b"")


def lose_everything(checkpoint):
  shutil.rmtree(checkpoint / "default")


def empty_it(checkpoint):
  shutil.rmtree(checkpoint)
  checkpoint.mkdir()


def lose_the_checksums(checkpoint):
  """As if a process was killed between the state and its checksums."""
  (checkpoint / "SHA256SUMS").unlink()


def empty_the_checksums(checkpoint):
  (checkpoint / "SHA256SUMS").write_bytes(b"")


DAMAGES = [
  *(cut_data, empty_metadata, lose_everything, empty_it),
  *(lose_the_checksums, empty_the_checksums),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_reported_and_an_earlier_one_restored(
  three_saved, damage
):
  damage(three_saved / "15")
  state, reported = restore(three_saved)
  assert reported == [15]
  assert_equal_states(state, state_at(10))


@pytest.mark.parametrize("damage", DAMAGES)
def test_after_damage_the_run_saves_the_same_update_again(three_saved, damage):
  damage(three_saved / "15")
  checkpoints = Checkpoints(three_saved)
  checkpoints.restore_latest(state_at(0), on_damaged=lambda step, error: None)
  checkpoints.save(state_at(15))
  checkpoints.save(state_at(20))
  checkpoints.close()
  state, reported = restore(three_saved)
  assert int(state.step) == 20 and reported == []


def flip_a_bit(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 4
  path.write_bytes(content)


def cut_off_the_end(path):
  path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize("damage", [flip_a_bit, cut_off_the_end, pathlib.Path.unlink])
def test_no_damaged_file_goes_unnoticed(three_saved, tmp_path, damage):
  """Orbax itself does not notice a flipped bit in uncompressed data."""
  latest = three_saved / "15"
  files = [path.relative_to(latest) for path in latest.rglob("*") if path.is_file()]
  assert len(files) > 8
  for number, name in enumerate(files):
    copy = tmp_path / str(number)
    shutil.copytree(three_saved, copy)
    damage(copy / "15" / name)
    state, reported = restore(copy)
    assert reported == [15], name
    assert_equal_states(state, state_at(10))


def test_the_damaged_file_is_named(three_saved):
  flip_a_bit(three_saved / "15" / "default" / "manifest.ocdbt")
  reasons = []
  checkpoints = Checkpoints(three_saved)
  checkpoints.restore_latest(
    state_at(0), on_damaged=lambda _, error: reasons.append(str(error))
  )
  checkpoints.close()
  assert reasons == ["default/manifest.ocdbt is not as it was written"]


def test_a_hidden_file_of_the_system_is_not_damage(three_saved):
  (three_saved / "15" / ".DS_Store").write_text("left by a file browser")
  state, reported = restore(three_saved)
  assert int(state.step) == 15 and reported == []


def test_without_a_readable_checkpoint_there_is_no_state(three_saved):
  cut_data(three_saved / "15")
  cut_data(three_saved / "10")
  assert restore(three_saved) == (None, [15, 10])


def test_unreadable_checkpoints_are_renamed_not_deleted(three_saved):
  """A state of another network is not damage: the config may be wrong."""
  state, reported = restore(three_saved, like=state_at(0, width=7))
  assert state is None and reported == [15, 10]
  for step in (10, 15):
    (three_saved / f"{step}.unreadable").rename(three_saved / str(step))
  state, reported = restore(three_saved)
  assert_equal_states(state, state_at(15))
  assert reported == []


def test_an_interrupted_write_is_not_a_checkpoint(three_saved):
  begun = three_saved / "20.orbax-checkpoint-tmp"
  shutil.copytree(three_saved / "15", begun)
  state, reported = restore(three_saved)
  assert int(state.step) == 15 and reported == []
  assert not begun.exists()


def test_an_interrupted_write_does_not_block_the_next(three_saved):
  shutil.copytree(three_saved / "15", three_saved / "20.orbax-checkpoint-tmp")
  checkpoints = Checkpoints(three_saved)
  checkpoints.save(state_at(20))
  checkpoints.close()
  assert_equal_states(restore(three_saved)[0], state_at(20))
