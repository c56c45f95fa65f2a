"""`bin/mask --serve`: the page on which masks are painted."""

import argparse
import importlib.util

from dipvid_jax.errors import InputError
from dipvid_jax.masking.mask_folder import MaskFolder
from dipvid_jax.terminal import say

_NEEDED = ("starlette", "uvicorn", "python_multipart")
_MIB = 2**20
# Flags of ways to make masks without the page; they have no meaning on it.
_OTHERS = (
  *("box", "boxes", "logo", "text", "within", "range", "dilate", "overwrite"),
  *("paint", "further", "lock", "tracker"),
)


def add_serve_flags(parser: argparse.ArgumentParser) -> None:
  """The flags of the page."""
  add = parser.add_argument_group("the page").add_argument
  add(
    "--serve",
    action="store_true",
    help="open a page to paint on, at an address that only this machine reaches",
  )
  add(
    "--host",
    default="127.0.0.1",
    metavar="ADDRESS",
    help="listen there (default: 127.0.0.1, which only this machine reaches)",
  )
  add(
    "--port",
    type=int,
    default=0,
    metavar="N",
    help="its number (default: any free one)",
  )
  add(
    "--max-upload",
    type=int,
    default=2048,
    metavar="MIB",
    help="the largest clip that the page takes (default: 2048)",
  )


def serve_masks(arguments: argparse.Namespace) -> None:
  """Serves the page until Ctrl-C.

  Raises:
    InputError: a package is missing, or a flag, file or folder is wrong.
  """
  if any(getattr(arguments, name) for name in _OTHERS):
    raise InputError(
      "--serve makes masks on the page; it goes with --video, --output, --host, --port"
      " and --max-upload alone"
    )
  missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
  if missing:
    raise InputError(
      f"--serve needs {', '.join(missing)}: pip install 'dipvid_jax[app]'"
    )
  if not 0 <= arguments.port < 2**16:
    raise InputError(f"--port {arguments.port}: must be 0 to 65535")
  if arguments.max_upload < 1:
    raise InputError(f"--max-upload {arguments.max_upload}: must be at least 1 MiB")
  from dipvid_jax.app.serve import serve

  MaskFolder(arguments.output).check(overwrite=True, inputs={})
  serve(
    arguments.output,
    arguments.video,
    host=arguments.host,
    port=arguments.port,
    most_upload=arguments.max_upload * _MIB,
    say=say,
  )
