"""The page's addresses. What they say is JSON, JPEG or PNG; errors are one line."""

import io
import json
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from dipvid_jax.app.clip import as_jpeg, as_png, from_png
from dipvid_jax.app.edits import EXCLUDED
from dipvid_jax.app.session import MOST_OBJECTS, Session
from dipvid_jax.app.uploads import TooLargeError, receive_clip
from dipvid_jax.errors import InputError
from dipvid_jax.media.images import frame_path, read_image

_PAGE = Path(__file__).parent / "page"
_TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
}
_MOST_PICTURE_BYTES = 2**26
_MOST_JSON_BYTES = 10_000

Handler = Callable[[Request], Awaitable[Response]]


class Routes:
  """Answers the page's requests from a session."""

  def __init__(self, session: Session, *, most_upload: int):
    """Names what the requests are about.

    Args:
      session: the clip and its masks.
      most_upload: bytes of a clip that is sent.
    """
    self._session = session
    self._most_upload = most_upload

  def app(self) -> Starlette:
    """The application, without its guard."""
    number = "/{number:int}"
    routes = [
      Route("/", self._index),
      Route("/page/{name}", self._static),
      Route("/api/state", self._state),
      Route("/api/clip", self._clip, methods=["POST"]),
      Route(f"/api/frames{number}.jpg", self._frame),
      Route(f"/api/labels{number}.png", self._labels, methods=["GET"]),
      Route(f"/api/labels{number}.png", self._paint, methods=["PUT"]),
      Route(f"/api/labels{number}.png", self._forget, methods=["DELETE"]),
      Route(f"/api/strokes{number}.png", self._strokes, methods=["GET"]),
      Route(f"/api/strokes{number}.png", self._stroke, methods=["PUT"]),
      Route(f"/api/lock{number}", self._lock, methods=["POST"]),
      Route("/api/settings", self._settings, methods=["POST"]),
      Route("/api/propagate", self._propagate, methods=["POST"]),
      Route("/api/inpaint", self._inpaint, methods=["POST"]),
      Route("/api/stop", self._stop, methods=["POST"]),
      Route("/api/save", self._save, methods=["POST"]),
      Route(f"/api/result{number}.jpg", self._result),
      Route("/api/download/{name}", self._download),
    ]
    errors: dict[Any, Any] = {
      TooLargeError: _too_large,
      InputError: _bad_input,
      HTTPException: _no_such,
      OSError: _failed,
    }
    return Starlette(routes=routes, exception_handlers=errors)

  async def _index(self, _: Request) -> Response:
    return _page_file("index.html")

  async def _static(self, request: Request) -> Response:
    return _page_file(request.path_params["name"])

  async def _state(self, _: Request) -> Response:
    return JSONResponse(await run_in_threadpool(self._session.describe))

  async def _clip(self, request: Request) -> Response:
    self._session.check_free_for_another()
    path, name = await receive_clip(
      request, self._session.own / "upload", most_bytes=self._most_upload
    )
    self._session.begin_opening(path, name)
    return await self._state(request)

  async def _frame(self, request: Request) -> Response:
    clip = self._session.require_clip()
    frame = clip.video.frames[self._number(request)]
    data = await run_in_threadpool(as_jpeg, frame)
    kept = {"Cache-Control": "private, max-age=3600"}
    return Response(data, media_type="image/jpeg", headers=kept)

  async def _labels(self, request: Request) -> Response:
    labels = self._session.labels(self._number(request))
    return Response(await run_in_threadpool(as_png, labels), media_type="image/png")

  async def _strokes(self, request: Request) -> Response:
    strokes = self._session.strokes(self._number(request))
    return Response(await run_in_threadpool(as_png, strokes), media_type="image/png")

  async def _paint(self, request: Request) -> Response:
    number = self._number(request)
    labels = from_png(await _body(request), self._session.require_clip().size)
    if labels.max() > MOST_OBJECTS:
      raise InputError(f"objects are 1 to {MOST_OBJECTS}, got {labels.max()}")
    await run_in_threadpool(
      self._session.edit, number, lambda edits: edits.paint(number, labels)
    )
    return Response(status_code=204)

  async def _stroke(self, request: Request) -> Response:
    number = self._number(request)
    strokes = from_png(await _body(request), self._session.require_clip().size)
    assert EXCLUDED == MOST_OBJECTS + 1
    await run_in_threadpool(
      self._session.edit, number, lambda edits: edits.stroke(number, strokes)
    )
    return Response(status_code=204)

  async def _forget(self, request: Request) -> Response:
    number = self._number(request)
    await run_in_threadpool(
      self._session.edit, number, lambda edits: edits.forget(number)
    )
    return Response(status_code=204)

  async def _lock(self, request: Request) -> Response:
    locked = await _value(request, "locked", bool)
    await run_in_threadpool(self._session.lock, self._number(request), locked)
    return Response(status_code=204)

  async def _settings(self, request: Request) -> Response:
    self._session.set_dilation(await _value(request, "dilation", int))
    return Response(status_code=204)

  async def _propagate(self, _: Request) -> Response:
    self._session.begin_propagation()
    return Response(status_code=202)

  async def _inpaint(self, request: Request) -> Response:
    config = await _value(request, "config", str)
    await run_in_threadpool(self._session.begin_removal, config)
    return Response(status_code=202)

  async def _stop(self, _: Request) -> Response:
    if self._session.job:
      self._session.job.stop()
    return Response(status_code=202)

  async def _save(self, _: Request) -> Response:
    folder = await run_in_threadpool(self._session.save)
    return JSONResponse({"folder": str(folder)})

  async def _result(self, request: Request) -> Response:
    number = self._number(request)
    if not self._session.has_result:
      raise HTTPException(404, "there is no result yet")
    path = frame_path(self._session.result_folder / "frames", number)

    def picture() -> bytes:
      return as_jpeg(read_image(path))

    return Response(await run_in_threadpool(picture), media_type="image/jpeg")

  async def _download(self, request: Request) -> Response:
    name = request.path_params["name"]
    if name == "result.mp4" and self._session.has_result:
      return _attachment(self._session.result_folder / "inpainted.mp4", name)
    if name in ("masks.zip", "mask.mp4"):
      folder = await run_in_threadpool(self._session.save)
      if name == "mask.mp4":
        return _attachment(self._session.masks.video, name)
      data = await run_in_threadpool(_zip, folder)
      said = {"Content-Disposition": f'attachment; filename="{name}"'}
      return Response(data, media_type="application/zip", headers=said)
    raise HTTPException(404, f"{name}: there is no such download yet")

  def _number(self, request: Request) -> int:
    """The frame that a path names."""
    number: int = request.path_params["number"]
    count = len(self._session.require_clip().video.frames)
    if number >= count:
      raise HTTPException(404, f"frame {number}: the clip has frames 0 to {count - 1}")
    return number


def _page_file(name: str) -> Response:
  path = _PAGE / name
  known = {file.name for file in _PAGE.iterdir() if file.is_file()}
  if name not in known or path.suffix not in _TYPES:
    raise HTTPException(404, "there is no such page")
  return Response(path.read_bytes(), media_type=_TYPES[path.suffix])


def _attachment(path: Path, name: str) -> Response:
  return FileResponse(path, filename=name)


def _zip(folder: Path) -> bytes:
  held = io.BytesIO()
  with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
    for path in sorted(folder.glob("*.png")):
      archive.write(path, f"masks/{path.name}")
  return held.getvalue()


async def _body(request: Request, most: int = _MOST_PICTURE_BYTES) -> bytes:
  data = b""
  async for chunk in request.stream():
    data += chunk
    if len(data) > most:
      raise TooLargeError(f"the request is larger than {most:,} bytes")
  return data


async def _value(request: Request, name: str, kind: type) -> Any:
  """One value of a JSON body."""
  try:
    value = json.loads(await _body(request, _MOST_JSON_BYTES))[name]
  except (ValueError, TypeError, KeyError) as error:
    raise InputError(f"the request must be JSON with {name}") from error
  if type(value) is not kind:
    raise InputError(f"{name} must be of type {kind.__name__}")
  return value


async def _bad_input(_: Request, error: Exception) -> Response:
  return JSONResponse({"error": str(error)}, status_code=409)


async def _too_large(_: Request, error: Exception) -> Response:
  return JSONResponse({"error": str(error)}, status_code=413)


async def _no_such(_: Request, error: Exception) -> Response:
  assert isinstance(error, HTTPException)
  return JSONResponse({"error": error.detail}, status_code=error.status_code)


async def _failed(_: Request, error: Exception) -> Response:
  assert isinstance(error, OSError)
  line = f"{error.filename or 'a file'}: {error.strerror or error}"
  return JSONResponse({"error": line}, status_code=500)
