"""Guards before every route: host names, request ids, clients, sizes, rates and security headers.

One pass for each request, without buffering what streams. What is refused here is told as a problem too, and
every answer, a defect's as well, leaves with the same headers.
"""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Iterable
from contextvars import ContextVar
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metering import Meter
from api.problems import HttpProblem, defect, problem
from api.rates import Buckets, client_of
from services.settings import Settings

log = logging.getLogger("holdfast.access")

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the request that is being answered, for log lines."""

BODY_LIMIT = 1 << 20
BODY_SECONDS = 30.0
"""Seconds in which a body of that size has to come: whoever sends it byte by byte holds a connection."""
UPLOADS = re.compile(r"/api/deposits|/api/checks|/deposit|/api/packages/.+/versions")
"""Paths that take bodies of any size: they stream them, and see to their size themselves."""

SIGN_IN = "/sign-in"
SIGN_IN_FAILURES = 10
"""Failed attempts to sign in that one address has in a minute."""
BURST_SECONDS = 2
"""A client that was silent may ask as much at once as else in so many seconds."""

CSP = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HSTS = "max-age=31536000"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def install(app: FastAPI, settings: Settings) -> None:
    """Put the guards before the routes of `app`, and its meter into ``app.state.meter``."""
    app.state.meter = Meter()
    app.add_middleware(Guards, settings=settings, meter=app.state.meter)


class Guards:
    """The middleware: judges a request, hands it on, and completes the answer's head."""

    def __init__(self, app: ASGIApp, settings: Settings, meter: Meter) -> None:
        self._app = app
        self._meter = meter
        self._proxies = settings.proxies
        self._hosts = hosts_of(settings)
        self._is_https = urlsplit(settings.base_url).scheme == "https"
        rate = settings.requests_per_second
        self._requests = Buckets(rate * BURST_SECONDS, rate)
        self._sign_ins = Buckets(SIGN_IN_FAILURES, SIGN_IN_FAILURES / 60)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard one request; anything else is handed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, self._proxies)
        token = REQUEST_ID.set(visit.id)
        try:
            await self._guard(visit, receive, send)
        finally:
            REQUEST_ID.reset(token)

    async def _guard(self, visit: "_Visit", receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._complete(visit, message)
            await send(message)

        scope = visit.scope
        refused = self._refusal(visit)
        if refused is not None:
            await refused(scope, receive, answer)
            return
        try:
            await self._app(scope, _limited(visit, receive), answer)
        except Exception as error:
            if not visit.status:
                await defect(Request(scope), error)(scope, receive, answer)
            raise

    def _refusal(self, visit: "_Visit") -> Response | None:
        """Return the answer to a request that goes no further, or None."""
        request = Request(visit.scope)
        if not self._is_ours(visit.headers.getlist("host")):
            return problem(
                request,
                HTTPStatus.BAD_REQUEST,
                "this host name is not served here",
                kind="host",
                hint="use an address of this archive, or add the name to HOLDFAST_ALLOWED_HOSTS",
            )
        wait = self._requests.take(visit.client)
        if not wait and visit.is_sign_in:
            wait = self._sign_ins.wait(visit.client)
        if wait:
            return problem(
                request,
                HTTPStatus.TOO_MANY_REQUESTS,
                "there were too many requests from your address",
                kind="rate",
                hint="wait as long as Retry-After says",
                headers={"Retry-After": str(int(wait) + 1)},
            )
        size = visit.headers.get("content-length", "")
        if visit.is_limited and size.isdigit() and int(size) > BODY_LIMIT:
            return problem(
                request,
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                _TOO_LARGE,
                kind="size",
                hint="deposits go to /api/deposits",
                headers={"Connection": "close"},
            )
        return None

    def _is_ours(self, given: Iterable[str]) -> bool:
        names = list(given)
        match = _HOST.fullmatch(names[0].lower()) if len(names) == 1 else None
        return match is not None and match["name"] in self._hosts

    def _complete(self, visit: "_Visit", message: Message) -> None:
        """Add what each answer bears, unless the route has decided otherwise, and count the answer."""
        visit.status = message["status"]
        headers = MutableHeaders(scope=message)
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if self._is_https:
            headers.setdefault("Strict-Transport-Security", HSTS)
        if not visit.scope["path"].startswith("/static/"):
            is_personal = "authorization" in visit.headers or "cookie" in visit.headers
            headers.setdefault("Cache-Control", "no-store" if is_personal else "no-cache")
            if "Cookie" not in headers.get("vary", ""):  # a route that says it says both
                headers.add_vary_header("Authorization, Cookie")
        headers["X-Request-ID"] = visit.id
        if visit.is_sign_in and visit.status >= HTTPStatus.BAD_REQUEST:
            self._sign_ins.take(visit.client)
        seconds = time.perf_counter() - visit.began
        self._meter.answered(visit.method, visit.route, visit.status, seconds)
        log.info("%s %s %s %d %.1f ms", visit.client, visit.method, visit.path, visit.status, seconds * 1000)


class _Visit:
    """One request on its way: its id, its client, and the status of its answer once there is one."""

    def __init__(self, scope: Scope, proxies: int) -> None:
        self.began = time.perf_counter()
        self.scope = scope
        self.headers = Headers(scope=scope)
        self.method: str = scope["method"] if scope["method"] in _METHODS else "other"
        given = self.headers.get("x-request-id", "")
        self.id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex[:16]
        self.status = 0
        address = address_of(scope, self.headers, proxies)
        if scope.get("client"):
            scope["client"] = (address, scope["client"][1])
        self.client = client_of(address)
        state = scope.setdefault("state", {})
        state["request_id"], state["client"] = self.id, address
        state["is_direct"] = not proxies and not ({"x-forwarded-for", "forwarded"} & set(self.headers))

    @property
    def path(self) -> str:
        """Return the path as it was asked for: percent-encoded, without the query, which may hold secrets."""
        raw: bytes = self.scope.get("raw_path") or self.scope["path"].encode("unicode_escape")
        return raw.partition(b"?")[0].decode("ascii", "backslashreplace")

    @property
    def route(self) -> str:
        """Return the template of the route that answers, so that no name of a package becomes a metric."""
        found = getattr(self.scope.get("route"), "path", None)
        if found is None:
            return "/static" if self.scope["path"].startswith("/static/") else "none"
        return re.sub(r":[a-z]+\}", "}", found)

    @property
    def is_sign_in(self) -> bool:
        """Tell whether somebody tries to sign in: by the form, or by a link."""
        asks = self.method == "POST" or b"link=" in self.scope.get("query_string", b"")
        return asks and self.scope["path"].startswith(SIGN_IN)

    @property
    def is_limited(self) -> bool:
        """Tell whether the body may be no larger than `BODY_LIMIT`."""
        return self.method != "POST" or UPLOADS.fullmatch(self.scope["path"]) is None


_METHODS = _BODILESS | {"POST", "PUT", "PATCH", "DELETE"}
_TOO_LARGE = f"a body may have {BODY_LIMIT} bytes here"


def hosts_of(settings: Settings) -> frozenset[str]:
    """Return the host names that are served: loopback, that of the base URL, and those of the settings."""
    own = urlsplit(settings.base_url).hostname or ""
    named = [each.strip() for each in settings.allowed_hosts.split(",")]
    names = {_bracketed(each.lower()) for each in (own, *named) if each}
    return _LOOPBACK | names


def address_of(scope: Scope, headers: Headers, proxies: int) -> str:
    """Return the client's address: as many proxies as the settings name are believed, and no header else."""
    client = scope.get("client")
    peer = client[0] if client else "unknown"
    if not proxies:
        return peer
    passed = [each.strip() for line in headers.getlist("x-forwarded-for") for each in line.split(",")]
    if not passed:
        return peer
    said = passed[-proxies] if len(passed) >= proxies else passed[0]
    try:
        return str(ip_address(said.strip("[]")))
    except ValueError:
        return peer


class WithRequestId(logging.Filter):
    """Puts the id of the request into each log record, as `request_id`; for handlers."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add it, and let the record pass."""
        record.request_id = REQUEST_ID.get()
        return True


def _limited(visit: _Visit, receive: Receive) -> Receive:
    """Return `receive` with an end to it: a body may announce a wrong length or none, and take for ever."""
    if not visit.is_limited:
        return receive
    read = 0
    until: float | None = None
    is_whole = False

    async def counted() -> Message:
        nonlocal read, until, is_whole
        if is_whole:
            return await receive()  # that the client has gone, some day
        until = until or asyncio.get_running_loop().time() + BODY_SECONDS
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise HttpProblem(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the body did not come within {BODY_SECONDS:.0f} seconds",
                headers={"Connection": "close"},
            ) from None
        is_whole = not message.get("more_body", False)
        if message["type"] == "http.request":
            read += len(message.get("body", b""))
            if read > BODY_LIMIT:
                raise HttpProblem(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    _TOO_LARGE,
                    hint="deposits go to /api/deposits",
                    headers={"Connection": "close"},
                )
        return message

    return counted


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
