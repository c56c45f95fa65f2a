"""`bin/flow-error`: how far an estimator is from a reference flow."""

import argparse
from pathlib import Path

import numpy as np

from dipvid_jax.cli.command import Parser, run_command
from dipvid_jax.cli.process import as_process
from dipvid_jax.flow_weights.known_pair import read_known_pair
from dipvid_jax.jax_setup import check_device, set_up_command
from flow import end_point_error, make_estimator
from flow.estimators import ESTIMATORS

_EXAMPLE = """\
example, for PWC-Net weights from elsewhere:
  bin/flow-error frame_0010.png frame_0011.png pwcnet_official_0010_to_0011.flo \\
      --estimator pwcnet --weights pwc_net.pth.tar
The authors' weights should come below 0.6 px of their official output.
"""


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = Parser(
    "flow-error",
    description="Mean end-point error of an estimator against a reference flow.",
    epilog=_EXAMPLE,
  )
  parser.add_argument("first", type=Path, help="an image")
  parser.add_argument("second", type=Path, help="the image after it")
  parser.add_argument("reference", type=Path, help="flow from first to second (.flo)")
  parser.add_argument("--estimator", default="dis", choices=ESTIMATORS)
  parser.add_argument("--weights", type=Path, help="PWC-Net's, or from bin/train-flow")
  return parser


def main(argv: list[str] | None = None) -> int:
  """Runs the command; returns the exit code."""
  arguments = make_parser().parse_args(argv)
  set_up_command()
  return run_command("flow-error", lambda: print(measure(arguments)))


def measure(arguments: argparse.Namespace) -> str:
  """Estimates the flow and says how far it is from the reference.

  Args:
    arguments: as `make_parser` gives them.

  Returns:
    A line with the error and the reference's mean magnitude, in pixels.

  Raises:
    InputError: a file that cannot be read, or sizes that differ.
  """
  check_device()
  pair = read_known_pair(arguments.first, arguments.second, arguments.reference)
  estimator = make_estimator(arguments.estimator, weights=arguments.weights)
  error = pair.error(estimator)
  magnitude = end_point_error(np.zeros_like(pair.flow), pair.flow)
  return (
    f"end-point error {error:.2f} px ({estimator.identity}); "
    f"the reference's mean magnitude is {magnitude:.2f} px"
  )


command = as_process(main)
