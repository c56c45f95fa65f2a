"""`bin/inpaint`: removes what a mask marks from a video."""

import argparse
import sys

from absl import flags
from ml_collections import config_flags

from dipvid_jax.cli import inpaint_many
from dipvid_jax.cli.size_word import read_size
from dipvid_jax.errors import DivergedError, InputError
from dipvid_jax.jax_setup import set_up_jax
from dipvid_jax.method.config import find_config, load_config
from dipvid_jax.runs.run import run

_EXAMPLES = """\
examples:
  bin/inpaint --config fast.py --video clip.mp4 --mask mask.mp4 --output out
      the recommended way: carries what other frames show into the hole first
  bin/inpaint --config fast.py --video clip.mp4 --mask mask.png --output out \\
      --config.max_updates=200
      a quick look: fewer updates, a blur where nothing could be carried
  bin/inpaint --config flow.py --video clip.mp4 --mask mask.mp4 --output out
      the method of the paper; 102,000 updates, for a GPU
  bin/inpaint --config fast.py --video clip.mp4 --mask mask.mp4 --output out --resume
      goes on after an interruption
  bin/inpaint --config fast.py --video long.mp4 --mask mask.mp4 --output out \\
      --window 80 --overlap 10
      a long clip in windows, for less memory
  bin/inpaint --config fast.py --tfds composed --video-id clip-mask-0 --output out
      a video of a set made by bin/compose-set; its truth is not read
  bin/inpaint --config fast.py --manifest clips.csv
      many clips, a line each; run it on every machine that shall help

results in the output folder:
  inpainted.mp4, frames/   the input with the hole filled
  full.mp4                 the network's own frames everywhere
  report.html              videos, curves, time slice, settings: open it in a browser
  preview.png              input, flows, generated frames and result at a glance
  metrics.jsonl            losses and updates per second, a line a batch
  rounds.jsonl             PSNR on known pixels that were held out, a line a round
  config.json, checkpoints/, flow/

--config.KEY=VALUE sets any key of the config; the keys and what they mean stand in
configs/flow.py. Exit code: 0 done, 1 the training diverged or the disk is full, 2 bad input,
130 Ctrl-C.
"""

# Flags that are short for a config key.
_SHORT = (
  *("video", "mask", "tfds", "video_id", "output"),
  *("seed", "size", "window", "overlap", "preview_every"),
  *("dilate", "invert_mask", "mask_object"),
)


class _Parser(argparse.ArgumentParser):
  """Says what is wrong with the flags in one line, as all other errors are."""

  def error(self, message):
    self.exit(2, f"{self.prog}: {message}; see --help\n")


def make_parser() -> argparse.ArgumentParser:
  """The flags of the command."""
  parser = _Parser(
    prog="inpaint",
    description="Removes what a mask marks from a video: trains a network on that one "
    "video and fills the hole with what it learnt.",
    epilog=_EXAMPLES,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  parser.add_argument("--config", default="fast.py", metavar="FILE",
    help="a config's name in configs/ or a path (default: fast.py)")  # fmt: skip
  parser.add_argument("--video", metavar="V",
    help="a video file (mp4, mov, avi, mkv, webm) or a folder of images")  # fmt: skip
  parser.add_argument("--mask", metavar="M",
    help="white where to fill: a video, a folder of images, or one image for all frames")  # fmt: skip
  parser.add_argument("--tfds", metavar="SET",
    help="instead of --video and --mask: a data set's folder or name (bin/compose-set)")  # fmt: skip
  parser.add_argument("--video-id", metavar="ID", help="a video of that set")
  parser.add_argument("--output", metavar="DIR", help="a folder for the results")
  parser.add_argument("--seed", type=int, help="same seed, same machine, same result")
  parser.add_argument("--size", type=read_size, metavar="HxW",
    help="height x width that the network works at, or `input` for the input's own; "
    "padded by reflection where it does not suit the network")  # fmt: skip
  parser.add_argument("--window", type=int, metavar="K",
    help="train on a longer clip in windows of K frames, for less memory")  # fmt: skip
  parser.add_argument("--overlap", type=int, metavar="J",
    help="frames over which a window fades into the next (default: 10)")  # fmt: skip
  parser.add_argument("--dilate", type=int, metavar="PX",
    help="grow the hole by so many pixels of the input")  # fmt: skip
  parser.add_argument("--invert-mask", action="store_true", default=None,
    help="the mask is black where to fill")  # fmt: skip
  parser.add_argument("--object", type=int, dest="mask_object", metavar="K",
    help="of an indexed annotation, fill only object K (default: all)")  # fmt: skip
  parser.add_argument("--preview-every", type=int, metavar="R",
    help="make preview.png and report.html anew every R rounds (default: 1)")  # fmt: skip
  parser.add_argument("--resume", action="store_true",
    help="go on with the run in the output folder")  # fmt: skip
  parser.add_argument("--overwrite", action="store_true",
    help="replace the run in the output folder")  # fmt: skip
  parser.add_argument("--deterministic", action="store_true",
    help="repeatable bit for bit on a GPU too, slower (a CPU always is)")  # fmt: skip
  inpaint_many.add_flags(parser)
  return parser


def main(argv: list[str] | None = None) -> int:
  """Runs the command.

  Args:
    argv: the arguments; those of the process where None.

  Returns:
    The exit code.
  """
  parser = make_parser()
  arguments, rest = parser.parse_known_args(argv)
  set_up_jax(deterministic=arguments.deterministic)
  values = {key: getattr(arguments, key) for key in _SHORT}
  given = {key: value for key, value in values.items() if value is not None}
  if arguments.manifest:
    return inpaint_many.main(
      arguments,
      given=given,
      make_config=lambda name, more: read_config(name, [*rest, *more]),
    )
  try:
    if arguments.resume and arguments.overwrite:
      raise InputError("--resume and --overwrite exclude each other")
    config = read_config(arguments.config, rest)
    for key, value in given.items():
      config[key] = value
    folder = run(config, overwrite=arguments.overwrite, resume=arguments.resume)
  except InputError as error:
    print(f"inpaint: {error}", file=sys.stderr)
    return 2
  except DivergedError as error:
    print(f"inpaint: {error}; the checkpoints are kept", file=sys.stderr)
    return 1
  except MemoryError as error:
    print(
      f"inpaint: {error or 'no memory left'}; use a smaller --size", file=sys.stderr
    )
    return 2
  except OSError as error:  # a full disk, most of all
    reason = error.strerror or error
    print(
      f"inpaint: {error.filename or arguments.output}: cannot be written ({reason}); what"
      " is done is kept, the same command with --resume goes on",
      file=sys.stderr,
    )
    return 1
  except KeyboardInterrupt:
    print(
      "inpaint: interrupted; the same command with --resume goes on", file=sys.stderr
    )
    return 130
  print(f"done: {folder / 'inpainted.mp4'} (what was done: {folder / 'report.html'})")
  return 0


def read_config(name: str, overrides: list[str]):
  """Loads a config file and sets `--config.KEY=VALUE` overrides in it.

  Args:
    name: see `find_config`.
    overrides: what argparse left over.

  Returns:
    The config.

  Raises:
    InputError: an unknown flag or key, or a value of another type.
  """
  config = load_config(name)
  values = flags.FlagValues()
  argv = ["inpaint", *overrides]
  try:
    config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=argv)
    left = values(argv)
  except (AttributeError, KeyError) as error:
    reason = str(error).strip("\"'").replace("\\n", " ").replace("\\'", "'")
    raise InputError(f"unknown config key {reason} See {find_config(name)}") from error
  except (flags.Error, TypeError, ValueError) as error:
    reason = " ".join(str(error).split())
    raise InputError(f"{reason}; see --help and {find_config(name)}") from error
  if left[1:]:
    raise InputError(f"unexpected {' '.join(left[1:])}; see --help")
  return config
