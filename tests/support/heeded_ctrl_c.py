"""Processes that a test starts and interrupts heed Ctrl-C."""

import signal

import pytest


@pytest.fixture(autouse=True)
def heeded_ctrl_c():
  """Shells start background jobs with Ctrl-C ignored, and children inherit that."""
  before = signal.signal(signal.SIGINT, signal.default_int_handler)
  yield
  signal.signal(signal.SIGINT, before)
