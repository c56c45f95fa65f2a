"""The one exception whose message is written for users, not programmers."""


class InputError(ValueError):
  """Bad input: one line that names the file or key, what is wrong, what to do.

  Commands print the line and exit with code 2, without a traceback.
  """
