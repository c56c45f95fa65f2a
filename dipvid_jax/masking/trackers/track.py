"""Masks of all frames by a tracker that is not part of this package."""

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dipvid_jax.errors import InputError
from dipvid_jax.masking.painted import objects_of
from dipvid_jax.masking.trackers.exchange_folder import (
  read_confidence,
  read_labels,
  write_request,
)
from dipvid_jax.masking.trackers.process import run_tracker
from dipvid_jax.media.sources import os_reason

_DRIVERS = Path(__file__).parent / "drivers"
SHIPPED = ("sam2", "cutie")
"""Trackers with a driver here; they need the user's weights and Python."""


class Tracker(NamedTuple):
  """A tracker that can be called.

  Attributes:
    name: for messages.
    command: what to run on an exchange folder.
    weights: a file for it.
    config: the name of its configuration.
  """

  name: str
  command: tuple[str, ...]
  weights: Path | None
  config: str | None


class Tracked(NamedTuple):
  """What a tracker found.

  Attributes:
    labels: `[T, H, W]` uint8, 0 = nothing, k = object k; painted frames as painted.
    confidence: `[T]` float32 in [0, 1]; None if the tracker does not say.
  """

  labels: np.ndarray
  confidence: np.ndarray | None


def find_tracker(
  tracker: str,
  *,
  weights: Path | None = None,
  config: str | None = None,
  python: str | None = None,
) -> Tracker:
  """Checks that a tracker can be called.

  Args:
    tracker: "sam2", "cutie", or the path of the user's own: a Python script, or any
      other file that can be executed.
    weights: a file for it, which the first two need.
    config: the name of its configuration; each has its own default.
    python: the interpreter that has the tracker's packages, which the first two need.

  Raises:
    InputError: something is missing.
  """
  name = f"--tracker {tracker}"
  if tracker in SHIPPED:
    if weights is None or python is None:
      raise InputError(
        f"{name}: needs --weights FILE and --tracker-python PYTHON, the interpreter"
        " that can import it; docs/trackers.md says how to get both"
      )
    command: tuple[str, ...] = (python, str(_DRIVERS / f"{tracker}_driver.py"))
  else:
    path = Path(tracker)
    if not path.is_file():
      raise InputError(
        f"{name}: no such file; give {', '.join(SHIPPED)} or the path of a tracker"
      )
    command = (str(path.resolve()),)
    if path.suffix == ".py":
      command = (python or sys.executable, *command)
    elif python is not None:
      raise InputError(f"{name}: is no .py file; leave out --tracker-python")
  if weights is not None:
    try:
      weights.open("rb").close()
    except OSError as error:
      raise InputError(f"--weights {weights}: {os_reason(error)}") from error
  return Tracker(name, command, weights, config)


def track_masks(
  frames: np.ndarray,
  painted: Mapping[int, np.ndarray],
  tracker: Tracker,
  *,
  on_progress: Callable[[int], None] | None = None,
) -> Tracked:
  """Asks a tracker for the masks of all frames.

  Args:
    frames: `[T, H, W, 3]` uint8 RGB.
    painted: at least one frame, by its number: `[H, W]` uint8, 0 nothing, k = object k.
    tracker: see `find_tracker`.
    on_progress: called with the number of frames just finished.

  Returns:
    The labels of all frames.

  Raises:
    InputError: nothing is painted, or the tracker failed.
    OSError: the frames do not fit on the disk of temporary files.
  """
  if not objects_of(painted):
    raise InputError("no painted frame has an object; paint it in at least one")
  with tempfile.TemporaryDirectory(prefix="dipvid-tracker-") as place:
    folder = Path(place)
    write_request(
      folder, frames, painted, weights=tracker.weights, config=tracker.config
    )
    run_tracker(tracker.name, tracker.command, folder, on_progress=on_progress)
    labels = read_labels(tracker.name, folder, painted, frames.shape[:3])
    confidence = read_confidence(tracker.name, folder, painted, len(frames))
  return Tracked(labels, confidence)
