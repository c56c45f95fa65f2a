"""The lines of a CSV file, with their numbers for messages."""

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from dipvid_jax.errors import InputError


def read_csv_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
  """Reads the lines of a CSV file that are not empty.

  Args:
    path: a file in UTF-8, with or without a byte order mark.

  Yields:
    The line's number, from 1, and its cells without spaces around them.

  Raises:
    InputError: one line that names the file and its line.
  """
  try:
    data = path.read_bytes()
  except OSError as error:
    raise InputError(f"{path}: cannot be read ({error.strerror})") from error
  if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
    raise InputError(f"{path}, line 1: is UTF-16; save it as CSV in UTF-8")
  try:
    text = data.decode("utf-8-sig")
  except UnicodeDecodeError as error:
    line = data.count(b"\n", 0, error.start) + 1
    raise InputError(
      f"{path}, line {line}: is not UTF-8; save it as CSV in UTF-8"
    ) from error
  reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
  try:
    for cells in reader:
      if any(cell.strip() for cell in cells):
        yield reader.line_num, [cell.strip() for cell in cells]
  except csv.Error as error:
    raise InputError(f"{path}, line {reader.line_num}: is not CSV ({error})") from error
