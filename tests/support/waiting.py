"""Waiting for what another process or thread brings about."""

import time


def wait_until(holds, process=None, *, seconds: float = 120) -> None:
  """Waits for something; fails if a process that should bring it about has ended."""
  deadline = time.monotonic() + seconds
  while not holds():
    assert process is None or process.poll() is None, process.communicate()
    assert time.monotonic() < deadline
    time.sleep(0.02)
