"""How commands and manifests write a size: height x width."""

import argparse
import re


def parse_size(text: str) -> tuple[int, int]:
  """Reads `192x384`, height x width.

  Args:
    text: as written.

  Returns:
    (H, W).

  Raises:
    ArgumentTypeError: it is something else.
  """
  if sides := re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text):
    return int(sides[1]), int(sides[2])
  raise argparse.ArgumentTypeError(f"{text!r} is not height x width, such as 192x384")


def parse_size_or_input(text: str) -> tuple[int, int]:
  """Reads a size, or `input`, which is (0, 0).

  Args:
    text: as written.

  Returns:
    The value of the config's `size`.

  Raises:
    ArgumentTypeError: it is neither.
  """
  if text == "input":
    return (0, 0)
  try:
    return parse_size(text)
  except argparse.ArgumentTypeError as error:
    raise argparse.ArgumentTypeError(f"{error}, nor `input`") from error
