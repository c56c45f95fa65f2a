"""Which checkpoints a folder holds, by their names alone: JAX is not needed for it."""

from pathlib import Path

# In the format of `sha256sum -c`. Written last: without it a checkpoint is incomplete.
CHECKSUMS = "SHA256SUMS"


def latest_step(folder: Path) -> int | None:
  """The number of updates of the latest complete checkpoint.

  Args:
    folder: of `Checkpoints`; it may be missing.

  Returns:
    The number; None without a checkpoint.
  """
  try:
    names = [path.name for path in folder.iterdir()]
  except OSError:
    return None
  steps = [int(name) for name in names if name.isdecimal()]
  complete = [step for step in steps if (folder / str(step) / CHECKSUMS).exists()]
  return max(complete, default=None)
