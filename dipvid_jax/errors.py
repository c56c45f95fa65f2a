"""Errors that can end a run."""

from flow.errors import InputError

__all__ = ["BusyError", "DivergedError", "InputError", "UnfinishedError"]


class BusyError(InputError):
  """Another run is writing to the folder; it is free again when that run ends."""


class DivergedError(RuntimeError):
  """A loss stopped being finite; the last good checkpoint is kept."""


class UnfinishedError(RuntimeError):
  """A result could not be made after the training; the others are written."""
