"""The Python examples of the documentation, as they stand there."""

import pathlib
import re

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def examples(page):
  """Every Python example of a page, in order."""
  return re.findall(r"```python\n(.*?)```", (_ROOT / page).read_text(), re.DOTALL)


def code_of(page, words):
  """The one example of a page that contains these words."""
  (code,) = (code for code in examples(page) if words in code)
  return code
