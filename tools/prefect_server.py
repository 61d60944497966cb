"""Prefect's server, asked over plain HTTP: small questions with a deadline, and no import of Prefect."""

import base64
import http.client
import json
import os
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

from packages.errors import Conflict, Internal, NotFound, Unavailable

POOL = "holdfast"
"""The work pool of everything that an archive has Prefect start."""
ONLINE_SECONDS = 45.0
"""A worker that has not been heard of for longer is taken for gone."""
MOST = 16 * 2**20
"""Bytes of an answer that are read."""
# Straight to the address: a proxy for the world outside has no business between the parts of an archive.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


BUSY_WAITS = (0.5, 1.0, 2.0)
"""Seconds between tries while the server's database is held by others (503): nothing was done then."""


class Busy(Unavailable):
    """The server answers, but not now."""


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """The API at `url` (which ends in ``/api``); every question ends within `seconds`.

    `secret` (``name:password``) is what the server asks for; without one, what the environment has is sent.
    Changes are asked for again after each of the `waits` while it is busy; each question has its `seconds`.
    Raises Unavailable when nobody answers or the server is in trouble, NotFound for what it does not have,
    Conflict where the state of things forbids it, Internal for any other refusal.
    """

    url: str
    seconds: float = 5.0
    secret: str = field(default="", repr=False)
    waits: tuple[float, ...] = BUSY_WAITS

    def get(self, path: str) -> Any:
        """Return the answer to a GET."""
        return self.ask("GET", path)

    def post(self, path: str, body: object) -> Any:
        """Return the answer to a POST of JSON; a server that is busy for the moment is asked again."""
        return self._ask_again("POST", path, body)

    def patch(self, path: str, body: object) -> None:
        """Change something; a server that is busy for the moment is asked again."""
        self._ask_again("PATCH", path, body)

    def _ask_again(self, method: str, path: str, body: object) -> Any:
        for wait in self.waits:
            try:
                return self.ask(method, path, body)
            except Busy:
                time.sleep(wait)
        return self.ask(method, path, body)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send one request and return the answer's JSON, None where it has no body."""
        if urlsplit(self.url).scheme not in {"http", "https"}:
            raise Unavailable(f"{self.url} is no address of a Prefect server", hint="it begins with http://")
        request = urllib.request.Request(  # noqa: S310  # the scheme has been looked at
            self.url.rstrip("/") + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Accept": "application/json", **_credentials(self.secret)},
            method=method,
        )
        try:
            with _DIRECT.open(request, timeout=self.seconds) as answer:
                data = answer.read(MOST)
        except HTTPError as error:
            with error:
                raise _refusal(error, f"{method} {path}") from None
        except (URLError, OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"Prefect's server at {self.url} does not answer: {getattr(error, 'reason', error)}"
            ) from None
        try:
            return json.loads(data) if data else None
        except ValueError:
            raise Unavailable(f"what answers at {self.url} is not Prefect's API") from None

    def is_there(self) -> bool:
        """Tell whether the server answers."""
        try:
            return bool(self.get("/health"))
        except (Unavailable, NotFound, Conflict, Internal):
            return False

    def workers(self) -> list[Mapping[str, Any]]:
        """Return the workers of our pool, gone ones too; none before the pool is made.

        Raises Unavailable where it is not Prefect's API that has no such address.
        """
        try:
            found: list[Mapping[str, Any]] = self.post(f"/work_pools/{POOL}/workers/filter", {"limit": 200})
        except NotFound:
            if self.is_there():
                return []
            raise Unavailable(f"what answers at {self.url} is not Prefect's API") from None
        return found

    def forget_worker(self, name: str) -> None:
        """Take a worker off the list; an absent one is no matter."""
        try:
            self.ask("DELETE", f"/work_pools/{POOL}/workers/{quote(name, safe='')}")
        except NotFound:
            return

    def set_state(
        self, run: str, kind: str, *, name: str = "", message: str = "", force: bool = False
    ) -> str:
        """Propose a state for a flow run, and return the server's word, such as ``ACCEPT`` or ``ABORT``."""
        state = {"type": kind, "message": message} | ({"name": name} if name else {})
        said = self.post(f"/flow_runs/{run}/set_state", {"state": state, "force": force})
        return str(said["status"])


def is_online(worker: Mapping[str, Any], seconds: float = ONLINE_SECONDS) -> bool:
    """Tell whether a worker, as the server describes it, was heard of in the last `seconds`."""
    heard = worker["last_heartbeat_time"]
    return bool(heard) and datetime.fromisoformat(heard) > datetime.now(UTC) - timedelta(seconds=seconds)


def _credentials(secret: str) -> dict[str, str]:
    """Return what lets us in: the server's own secret, or what the environment has for another's server."""
    if not secret and (key := os.environ.get("PREFECT_API_KEY")):
        return {"Authorization": f"Bearer {key}"}
    if said := secret or os.environ.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(said.encode()).decode()}"}
    return {}


def _refusal(error: HTTPError, what: str) -> Exception:
    told = f"Prefect's server refused {what}: {error.code} {error.read(500).decode(errors='replace')}"
    if error.code == 503:  # HTTP
        return Busy(told)
    if error.code >= 500 or error.code == 429:  # HTTP
        return Unavailable(told)
    return {404: NotFound, 409: Conflict}.get(error.code, Internal)(told)
