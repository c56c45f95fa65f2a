"""What a driver reads and writes; see docs/trackers.md. Needs NumPy and Pillow alone.

It runs in the user's own Python, beside a driver, and imports nothing of dipvid_jax.
"""

import json
import pathlib
import sys
import traceback
from collections.abc import Callable

import numpy as np
from PIL import Image

VERSION = 1


class TrackerError(Exception):
  """What ends a tracker, in one line for the user."""


class Exchange:
  """The folder that a tracker is called with."""

  def __init__(self, folder: pathlib.Path):
    """Reads the request.

    Args:
      folder: holds request.json, frames/ and painted/.

    Raises:
      TrackerError: the request is of another version.
    """
    self.folder = folder
    request = json.loads((folder / "request.json").read_text())
    if request["version"] != VERSION:
      raise TrackerError(f"knows version {VERSION}, not {request['version']}")
    self.frame_count: int = request["frames"]
    self.objects: list[int] = request["objects"]
    self.painted: list[int] = request["painted"]
    self.weights: str = request["weights"]
    self.config: str | None = request["config"]
    self._confidence = [1.0] * self.frame_count
    (folder / "labels").mkdir(exist_ok=True)

  def frame(self, number: int) -> np.ndarray:
    """Reads a frame, `[H, W, 3]` uint8 RGB."""
    return np.array(Image.open(self.folder / f"frames/{number:05d}.png"))

  def labels(self, number: int) -> np.ndarray:
    """Reads a painted frame, `[H, W]` uint8, 0 nothing, k = object k."""
    return np.array(Image.open(self.folder / f"painted/{number:05d}.png"))

  def write(self, number: int, probabilities: np.ndarray) -> None:
    """Writes the labels of a frame and reports it.

    The most probable object wins where it is more probable than not. The frame's
    confidence is the mean certainty of the pixels that may be an object; 0 where
    there is none, since the object may be lost.

    Args:
      number: of the frame.
      probabilities: `[len(objects), H, W]` float, of each object, in their order.
    """
    best = probabilities.argmax(axis=0)
    highest = probabilities.max(axis=0)
    marked = np.asarray(self.objects, np.uint8)[best]
    labels = np.where(highest > 0.5, marked, np.uint8(0))
    Image.fromarray(labels).save(self.folder / f"labels/{number:05d}.png")
    near = highest[highest > 0.1]
    certainty = float(np.abs(2 * near - 1).mean()) if near.size else 0.0
    self._confidence[number] = min(max(certainty, 0.0), 1.0)
    say(done=1)

  def finish(self) -> None:
    """Writes the confidence of all frames."""
    text = json.dumps(self._confidence)
    (self.folder / "confidence.json").write_text(text)


def say(**message: object) -> None:
  """Writes a line of JSON to standard output."""
  print(json.dumps(message), flush=True)


def run(track: Callable[[Exchange], None], *, package: str, install: str) -> None:
  """Runs a driver on the folder that the command line names; exits with its code.

  Args:
    track: writes all frames.
    package: that the driver imports.
    install: how to install it.
  """
  say(version=VERSION)
  try:
    exchange = Exchange(pathlib.Path(sys.argv[1]))
    track(exchange)
    exchange.finish()
  except TrackerError as problem:
    sys.exit(_failed(str(problem)))
  except ModuleNotFoundError as error:
    missing = f"{sys.executable} has no module {error.name}"
    sys.exit(_failed(f"{missing}; {package} is installed there by: {install}"))
  except Exception as error:
    traceback.print_exc()
    sys.exit(_failed(f"{type(error).__name__}: {error}"))


def _failed(reason: str) -> int:
  say(error=" ".join(reason.split()))
  return 1
