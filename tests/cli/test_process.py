"""Ctrl-C ends a command's process with its code, whatever the process is doing."""

import signal
import subprocess
import sys
import textwrap

import pytest

from tests.support.heeded_ctrl_c import heeded_ctrl_c  # noqa: F401

BEGINNING = """
import time
import jax
from dipvid_jax.cli.command import run_command
from dipvid_jax.cli.process import as_process


class Ignored:
  def __del__(self):
    raise KeyboardInterrupt  # as if Ctrl-C fell into it; Python only reports it


def work():
"""
END = """
as_process(lambda: run_command("work", work, resume="go on"))()
"""
COMPUTES = """
  state = jax.numpy.eye(200)
  product = jax.jit(lambda x: jax.lax.fori_loop(0, 10**7, lambda i, x: x @ x, x))
  product = product.lower(state).compile()
  work.result = product(state)
  raise KeyboardInterrupt
"""
IGNORES = """
  Ignored()
  time.sleep(20)
  print("went on")
"""
ENDS = """
  import atexit
  atexit.register(time.sleep, 1)
  atexit.register(print, "ending", flush=True)
"""


def start(work):
  work = textwrap.indent(textwrap.dedent(work), "  ")
  return subprocess.Popen(
    [sys.executable, "-c", BEGINNING + work + END],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


@pytest.mark.parametrize("work", [COMPUTES, IGNORES], ids=["computing", "ignored"])
def test_ctrl_c_is_one_line_and_ends_the_process(work):
  with start(work) as process:
    try:
      said, complained = process.communicate(timeout=60)
    finally:
      process.kill()
  assert (process.returncode, said) == (130, "")
  assert complained == "work: interrupted; go on\n"


def test_ctrl_c_after_the_work_changes_nothing():
  with start(ENDS) as process:
    assert process.stdout.readline() == "ending\n"
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=60)
  assert (process.returncode, said, complained) == (0, "", "")
