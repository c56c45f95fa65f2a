"""Reads what XLA made of a program."""

import re


def convolutions(compiled_text):
  """`(dim_labels, window)` of every convolution of a compiled program."""
  lines = [line for line in compiled_text.splitlines() if " convolution(" in line]
  return [
    (re.search(r"dim_labels=([\w>-]+)", line)[1], re.search(r"window={(.*?)}", line)[1])
    for line in lines
  ]


def is_canonical(convolution):
  """What XLA:CPU has a fast kernel for inside a loop: channels last, no reversal."""
  dim_labels, window = convolution
  return (
    dim_labels in ("b01f_01io->b01f", "b012f_012io->b012f")
    and "rhs_reversal" not in window
  )
