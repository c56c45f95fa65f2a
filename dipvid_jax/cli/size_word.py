"""How commands and lists write a size."""

import argparse
import re


def read_size(word: str) -> tuple[int, int]:
  """Reads `192x384`, height x width, or `input`, which is (0, 0).

  Args:
    word: as written.

  Returns:
    The config's size.

  Raises:
    ArgumentTypeError: it is neither.
  """
  if word == "input":
    return (0, 0)
  if sides := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", word):
    return int(sides[1]), int(sides[2])
  raise argparse.ArgumentTypeError(
    f"{word!r} is not height x width, such as 192x384, nor `input`"
  )
