"""A route that is asked several times a second by everybody who waits for a package."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.identity import actor_of, require_signed_in


class OneHopRoute(APIRoute):
    """Calls ``endpoint(request, archive, actor, reference)`` of a signed-in reader in one thread, at once.

    The endpoint is declared as any other, so its documentation is FastAPI's. But FastAPI solves each
    dependency anew with every request, and hands each that is no coroutine to a thread of its own: that took
    more than the answer.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        endpoint: Callable[..., Response] = self.endpoint

        def answer(request: Request) -> Response:
            actor = require_signed_in(request, actor_of(request))
            return endpoint(request, request.app.state.archive, actor, request.path_params["id"])

        async def handle(request: Request) -> Response:
            return await asyncio.to_thread(answer, request)

        return handle
