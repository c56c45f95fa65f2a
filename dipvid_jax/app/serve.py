"""The server of the page: one address, one user, until Ctrl-C."""

import secrets
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from dipvid_jax.app.guard import Guard
from dipvid_jax.app.routes import Routes
from dipvid_jax.app.session import Session
from dipvid_jax.errors import InputError
from dipvid_jax.media.sources import os_reason


def serve(
  folder: Path,
  video: Path | None,
  *,
  host: str,
  port: int,
  most_upload: int,
  say: Callable[[str], None],
) -> None:
  """Serves the page until it is interrupted.

  Args:
    folder: the output folder.
    video: the clip to open; None opens that of the last time, if any.
    host: the address to listen on.
    port: 0 takes a free one.
    most_upload: bytes of a clip that is sent.
    say: is given the page's address.

  Raises:
    InputError: the address is taken, or the folder holds something else.
    KeyboardInterrupt: Ctrl-C; a removal at work can be continued.
  """
  session = Session(folder)
  session.masks.check(overwrite=True, inputs={"--video": video} if video else {})
  with _listen(host, port) as listening:
    port = listening.getsockname()[1]
    if video is not None:
      session.begin_opening(video, video.name)
    elif session.kept_clip:
      session.begin_opening(*session.kept_clip)
    token = secrets.token_urlsafe(24)
    shown = f"[{host}]" if ":" in host else host
    routes = Routes(session, most_upload=most_upload).app()
    guarded = Guard(routes, token=token, host=host, port=port)
    config = uvicorn.Config(
      guarded, log_level="critical", access_log=False, lifespan="off"
    )
    say(f"open http://{shown}:{port}/?token={token} (Ctrl-C ends)")
    try:
      uvicorn.Server(config).run(sockets=[listening])
    finally:
      session.close()


def _listen(host: str, port: int) -> socket.socket:
  family = socket.AF_INET6 if ":" in host else socket.AF_INET
  listening = socket.socket(family, socket.SOCK_STREAM)
  try:
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen()
  except OSError as error:
    listening.close()
    raise InputError(
      f"--host {host} --port {port}: {os_reason(error)}; choose another"
    ) from error
  return listening
