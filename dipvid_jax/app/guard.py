"""Who may talk to the page: its own browser window, and no other site or machine."""

import ipaddress
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAFE = frozenset({"GET", "HEAD"})
_HEADERS = {
  "Content-Security-Policy": (
    "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
  ),
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
  """ASGI middleware: host, origin and token of every request, headers of every answer.

  The token comes once in the address, and from then on in a cookie that other sites
  cannot send. The host must be an address or a name that was listened on, so that a
  foreign name which is made to lead here (DNS rebinding) is refused.
  """

  def __init__(self, app: ASGIApp, *, token: str, host: str, port: int):
    """Wraps an application.

    Args:
      app: what is guarded.
      token: the secret of the address.
      host: that is listened on.
      port: likewise.
    """
    self._app = app
    self._token = token
    self._host = host
    self._port = port
    self._cookie = f"dipvid_mask_{port}"

  async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers itself what it refuses, and lets the rest pass."""
    if scope["type"] == "lifespan":
      await self._app(scope, receive, send)
      return
    if scope["type"] != "http":
      return

    async def send_with_headers(message: Message) -> None:
      if message["type"] == "http.response.start":
        headers = MutableHeaders(scope=message)
        for name, value in _HEADERS.items():
          headers[name] = value
        headers.setdefault("Cache-Control", "no-store")
      await send(message)

    answer = self._answer(Request(scope))
    await (answer or self._app)(scope, receive, send_with_headers)

  def _answer(self, request: Request) -> Response | None:
    """The answer to a request that does not get through."""
    if not self._is_own_host(request.headers.get("host", "")):
      return _refuse("this host name is not the page's; open the address as printed")
    origin = request.headers.get("origin")
    own = f"http://{request.headers['host']}"
    if origin is not None and origin != own:
      return _refuse("the request comes from another site")
    if request.method not in _SAFE and origin is None:
      return _refuse("the request does not say where it comes from (Origin)")
    given = request.query_params.get("token")
    if request.url.path == "/" and given is not None and request.method in _SAFE:
      return self._let_in(given)
    if not self._is_token(request.cookies.get(self._cookie, "")):
      return _refuse("open the address with its token, as bin/mask --serve printed it")
    return None

  def _let_in(self, given: str) -> Response:
    if not self._is_token(given):
      return _refuse("the token is wrong; open the address as it was printed last")
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
    return answer

  def _is_token(self, given: str) -> bool:
    return secrets.compare_digest(given.encode(), self._token.encode())

  def _is_own_host(self, host: str) -> bool:
    try:
      place = urlsplit(f"//{host}")
      name, port = place.hostname or "", place.port or 80
    except ValueError:
      return False
    if port != self._port or place.username is not None or place.path:
      return False
    return name in ("localhost", self._host) or _is_address(name)


def _is_address(name: str) -> bool:
  try:
    ipaddress.ip_address(name)
  except ValueError:
    return False
  return True


def _refuse(line: str) -> Response:
  return JSONResponse({"error": line}, status_code=403)
