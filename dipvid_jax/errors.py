"""Errors that can end a run."""

from flow.errors import InputError

__all__ = ["DivergedError", "InputError", "UnfinishedError"]


class DivergedError(RuntimeError):
  """A loss stopped being finite; the last good checkpoint is kept."""


class UnfinishedError(RuntimeError):
  """A result could not be made after the training; the others are written."""
