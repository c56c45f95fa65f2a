"""Claims: one holder at a time, and no claim outlives its holder."""

import concurrent.futures
import errno
import fcntl
import os
import time

import pytest

from dipvid_jax.clip_lists import claims
from dipvid_jax.clip_lists.claims import ClaimLost, Claims

_TIMEOUT = 60.0


@pytest.fixture
def output(tmp_path):
  """A folder that does not exist yet, nor does its parent."""
  return tmp_path / "results/out"


@pytest.fixture
def elsewhere(monkeypatch):
  """Call it to move to another machine."""
  return lambda name="other": monkeypatch.setattr(claims, "machine_id", lambda: name)


@pytest.fixture
def taken():
  """Give it claims without a `with` block."""
  claims_taken = []
  yield claims_taken.append
  for claim in claims_taken:
    die(claim)


def die(claim):
  """Does what the kernel does at the end of a process."""
  claim._file.close()


def age(held, seconds):
  """Moves the last sign of life `seconds` back by the file server's clock."""
  path = held.path(held.latest())
  then = path.stat().st_mtime - seconds
  os.utime(path, (then, then))


def listed(output):
  return sorted(path.name for path in output.parent.iterdir())


def test_of_many_workers_one_gets_the_claim(output):
  workers = [Claims(output) for _ in range(8)]
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    held = [claim for claim in pool.map(Claims.take, workers) if claim]
  assert len(held) == 1
  with held[0]:
    assert workers[0].take() is None
    assert f"process {os.getpid()}" in workers[0].holder()
  assert workers[0].holder() is None


def test_looking_changes_nothing(output):
  held = Claims(output)
  assert held.failure() is None and held.holder() is None
  assert not output.parent.exists()


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, ValueError])
def test_a_claim_is_free_after_its_block(output, error):
  try:
    with Claims(output).take():
      if error:
        raise error
  except (KeyboardInterrupt, ValueError):
    pass
  with Claims(output).take():
    assert Claims(output).take() is None


def test_a_finished_clip_leaves_nothing_behind(output):
  with Claims(output).take() as claim:
    assert listed(output) == [".out.claims"]
    claim.finish()
  assert listed(output) == []


def test_a_failure_is_known_to_workers_that_were_running(output):
  present = Claims(output)
  with Claims(output).take() as claim:
    claim.fail("a bad clip")
  assert present.failure() == "a bad clip"
  assert present.take() is None
  later = Claims(output)
  assert later.failure() is None
  with later.take():
    assert present.failure() is None


def test_the_lock_decides_on_one_machine(output):
  """Whatever the age of the last sign of life: the machine may have been asleep."""
  claim = Claims(output, timeout=_TIMEOUT).take()
  other = Claims(output, timeout=_TIMEOUT)
  age(other, 10 * _TIMEOUT)
  assert other.take() is None
  die(claim)
  age(other, -10 * _TIMEOUT)
  with other.take():
    assert other.latest() == 1


@pytest.mark.parametrize(
  ("seconds", "free"), [(0, False), (_TIMEOUT - 5, False), (_TIMEOUT + 5, True)]
)
def test_the_sign_of_life_decides_between_machines(
  output, taken, elsewhere, seconds, free
):
  taken(Claims(output).take())
  elsewhere()
  other = Claims(output, timeout=_TIMEOUT)
  age(other, seconds)
  assert bool(other.holder()) is not free
  claim = other.take()
  assert bool(claim) is free
  if claim:
    taken(claim)


def test_the_clock_is_that_of_the_file_server(output, taken, elsewhere, monkeypatch):
  """The machine's own clock may be hours off."""
  taken(Claims(output).take())
  elsewhere()
  other = Claims(output, timeout=_TIMEOUT)
  for wrong in (0.0, 1e12):
    monkeypatch.setattr(time, "time", lambda wrong=wrong: wrong)
    assert other.take() is None
  now = other.path(0).stat().st_mtime
  monkeypatch.setattr(Claims, "_server_time", lambda _: now + _TIMEOUT + 1)
  taken(other.take())


def test_without_locks_the_sign_of_life_decides_everywhere(output, taken, monkeypatch):
  def no_locks(*_):
    raise OSError(errno.ENOLCK, "No locks available")

  monkeypatch.setattr(fcntl, "flock", no_locks)
  taken(Claims(output).take())
  other = Claims(output, timeout=_TIMEOUT)
  assert other.take() is None
  age(other, _TIMEOUT + 5)
  taken(other.take())


def test_a_claim_that_is_just_being_written_is_held(output, taken):
  held = Claims(output, timeout=_TIMEOUT)
  path = held.path(0)
  path.parent.mkdir(parents=True)
  path.touch()
  assert held.take() is None
  age(held, _TIMEOUT + 5)
  taken(held.take())


def test_a_claim_gives_signs_of_life_during_its_block(output):
  held = Claims(output, timeout=0.04)
  with held.take():
    age(held, 1000)
    old = held.path(0).stat().st_mtime
    deadline = time.monotonic() + 20
    while held.path(0).stat().st_mtime == old:
      assert time.monotonic() < deadline
      time.sleep(0.01)


def test_a_worker_paused_for_too_long_stops_and_leaves_the_new_claim(output, elsewhere):
  paused = Claims(output, timeout=0.4)
  with pytest.raises(ClaimLost), paused.take():
    elsewhere()
    other = Claims(output, timeout=_TIMEOUT)
    age(other, _TIMEOUT + 5)
    new = other.take()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
      time.sleep(0.01)
  assert other.latest() == 1
  with new:
    elsewhere("third")
    assert Claims(output, timeout=_TIMEOUT).take() is None


def test_a_later_claim_counts_before_the_earlier_one_is_removed(output):
  held = Claims(output, timeout=0.4)
  with pytest.raises(ClaimLost), held.take():
    held.path(1).touch()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
      time.sleep(0.01)
  assert held.path(0).exists()


def test_an_interrupt_that_comes_too_late_is_ignored(output, monkeypatch):
  """The block ends just when the thread finds the claim lost."""
  claim = Claims(output).take()
  with claim:
    monkeypatch.setattr(claim._thread, "join", claims._raise_lost)


def test_a_stale_listing_does_no_harm(output, taken, elsewhere, monkeypatch):
  """A slow worker saw claim 0; meanwhile 1 came, and 2 after it."""
  slow = Claims(output, timeout=_TIMEOUT)
  taken(Claims(output).take())
  for name in ("b", "c"):
    elsewhere(name)
    later = Claims(output, timeout=_TIMEOUT)
    age(later, _TIMEOUT + 5)
    taken(later.take())
  assert later.latest() == 2
  answers = iter([0, 0])
  monkeypatch.setattr(slow, "latest", lambda: next(answers, 2))
  monkeypatch.setattr(slow, "_is_held", lambda _: False)
  assert slow.take() is None
  assert [path.name for path in later.path(2).parent.iterdir()] == ["000002"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
  (tmp_path / "file").touch()
  with pytest.raises(OSError, match="file"):
    Claims(tmp_path / "file/out").take()
