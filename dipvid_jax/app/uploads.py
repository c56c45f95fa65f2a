"""A clip that comes through the browser: a hostile name, an unknown content."""

import re
import shutil
from pathlib import Path

from starlette.datastructures import UploadFile
from starlette.requests import Request

from dipvid_jax.errors import InputError
from dipvid_jax.media.sources import VIDEO_SUFFIXES

_USUAL = ".mp4"
_MOST_NAME = 80
_FORM_BYTES = 10_000  # of a form around its file


class TooLargeError(InputError):
  """The upload is beyond its limit."""


async def receive_clip(
  request: Request, folder: Path, *, most_bytes: int
) -> tuple[Path, str]:
  """Stores the file of a form.

  Args:
    request: multipart, with the field `file`.
    folder: where it is stored, under a name of ours.
    most_bytes: the limit.

  Returns:
    Its path, and the name to show. What it contains is not known before it is decoded.

  Raises:
    TooLargeError: it is larger, or does not state its size.
    InputError: the form has no file.
  """
  stated = request.headers.get("content-length", "")
  # The server lets no body be longer than stated.
  if not stated.isdecimal() or int(stated) > most_bytes + _FORM_BYTES:
    raise TooLargeError(
      f"the clip is larger than {most_bytes / 2**20:.0f} MiB (--max-upload); start"
      " bin/mask --serve with --video FILE instead"
    )
  async with request.form(max_files=1, max_fields=0) as form:
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.size:
      raise InputError("the form has no file")
    folder.mkdir(parents=True, exist_ok=True)
    name = file.filename or ""
    path = folder / f"clip{suffix_of(name)}"
    with path.open("wb") as stored:
      shutil.copyfileobj(file.file, stored)
  return path, shown_name(name)


def suffix_of(name: str) -> str:
  """The suffix of a video that a name has, or the usual one."""
  suffix = Path(name).suffix.lower()
  return suffix if suffix in VIDEO_SUFFIXES else _USUAL


def shown_name(name: str) -> str:
  """A file's name without folders and control characters, for the page alone."""
  last = re.split(r"[/\\]", name)[-1]
  kept = "".join(c for c in last if c.isprintable()).strip()
  return kept[:_MOST_NAME] or "clip"
