"""The one exception that a user, not a programmer, is meant to read."""


class InputError(ValueError):
  """Bad input: one line that names the file or key, what is wrong, what to do.

  Commands print the line and exit with code 2, without a traceback.
  """
