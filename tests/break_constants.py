"""Breaks one constant at a time and expects the tests to notice.

  python tests/break_constants.py

Each break is a replacement of text in a copy of the repository; the named tests run
there without PyTorch's live comparison, so that the goldens and oracles have to
notice alone. Prints a line for each break; exits with 1 if one goes unnoticed.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_COPIED = ("dipvid_jax", "flow", "configs", "tests", "benchmarks", "pyproject.toml")
_GOLDENS = "tests/parity/test_parity_goldens.py"


class Break(NamedTuple):
  """One wrong constant.

  Attributes:
    what: the constant, in words.
    file: where it stands.
    right, wrong: the text and what replaces it.
    tests: files that should turn red.
  """

  what: str
  file: str
  right: str
  wrong: str
  tests: tuple[str, ...]


BREAKS = (
  Break(
    "padding mode",
    "dipvid_jax/networks/generator.py",
    'mode="reflect"',
    'mode="edge"',
    ("tests/networks/test_generator.py", _GOLDENS),
  ),
  Break(
    "BatchNorm epsilon",
    "dipvid_jax/networks/generator.py",
    "_EPSILON = 1e-5",
    "_EPSILON = 1e-4",
    ("tests/networks/test_generator.py", _GOLDENS),
  ),
  Break(
    "align-corners",
    "flow/warp.py",
    "+ flow[..., 0]",
    "* (width / (width - 1)) - 0.5 + flow[..., 0]",
    ("tests/flow/test_warp.py",),
  ),
  Break(
    "flow channel order",
    "dipvid_jax/training/batching.py",
    "2 * direction",
    "2 * (1 - direction)",
    ("tests/training/test_batching.py",),
  ),
  Break(
    "a mask's polarity",
    "dipvid_jax/training/losses.py",
    "(prediction - target) * (1 - hole_mask))",
    "(prediction - target) * hole_mask)",
    ("tests/training/test_losses.py",),
  ),
  Break(
    "stop-gradient",
    "dipvid_jax/training/losses.py",
    "jax.lax.stop_gradient(reference)",
    "reference",
    ("tests/training/test_losses.py",),
  ),
  Break(
    "loss divisor",
    "dipvid_jax/training/losses.py",
    "jnp.mean(jnp.square((prediction - target) * (1 - hole_mask)))",
    "jnp.mean(jnp.square((prediction - target) * (1 - hole_mask)))"
    " / jnp.mean(1 - hole_mask)",
    ("tests/training/test_losses.py",),
  ),
  Break(
    "upsampling",
    "dipvid_jax/networks/upsample_conv.py",
    "if phase == 0",
    "if phase == 1",
    (
      "tests/networks/test_generator.py",
      "tests/networks/test_upsample_conv.py",
      _GOLDENS,
    ),
  ),
  Break(
    "cost volume order",
    "flow/pwcnet/correlation.py",
    "displacement // side, displacement % side",
    "displacement % side, displacement // side",
    ("tests/flow/pwcnet/test_correlation.py",),
  ),
  Break(
    "where a carried pixel comes from",
    "dipvid_jax/propagation/carrying.py",
    "sample(scene.frames[source.frame], start + flow, cv2.INTER_CUBIC)",
    "sample(scene.frames[source.frame], start + 0.5 + flow, cv2.INTER_CUBIC)",
    ("tests/test_quality.py",),
  ),
  Break(
    "visibility threshold",
    "flow/consistency.py",
    "THRESHOLD = 0.5",
    "THRESHOLD = 0.6",
    ("tests/flow/test_consistency.py",),
  ),
)


def failed_tests(broken: Break) -> list[str]:
  """Breaks a copy of the repository and runs the named tests there.

  Args:
    broken: what to break.

  Returns:
    The tests that failed.

  Raises:
    ValueError: the text to replace is not there exactly once.
  """
  with tempfile.TemporaryDirectory() as scratch:
    root = pathlib.Path(scratch)
    for name in _COPIED:
      source = _ROOT / name
      copy = shutil.copytree if source.is_dir() else shutil.copy
      copy(source, root / name)
    path = root / broken.file
    text = path.read_text()
    if text.count(broken.right) != 1:
      raise ValueError(
        f"{broken.file}: {broken.right!r} stands {text.count(broken.right)} times"
      )
    path.write_text(text.replace(broken.right, broken.wrong))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", *broken.tests]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
  lines = done.stdout.splitlines()
  failed = [line.split(" - ")[0][7:] for line in lines if line.startswith("FAILED ")]
  if done.returncode not in (0, 1):
    raise ValueError(f"pytest could not run: {done.stdout[-500:]}{done.stderr[-500:]}")
  return failed


def main() -> int:
  """Breaks everything in turn; returns the exit code."""
  unnoticed = 0
  for broken in BREAKS:
    failed = failed_tests(broken)
    unnoticed += not failed
    print(f"{broken.what}: {failed[0] if failed else 'NOT NOTICED'}", flush=True)
  return 1 if unnoticed else 0


if __name__ == "__main__":
  sys.exit(main())
