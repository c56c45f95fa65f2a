"""Errors that a run can end with."""

from flow.errors import InputError

__all__ = ["DivergedError", "InputError"]


class DivergedError(RuntimeError):
  """A loss stopped being finite; the last good checkpoint is kept."""
