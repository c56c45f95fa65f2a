"""Errors that can end a run."""

from flow.errors import InputError

__all__ = ["DivergedError", "InputError"]


class DivergedError(RuntimeError):
  """A loss stopped being finite; the last good checkpoint is kept."""
