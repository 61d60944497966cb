"""Answers of known length whose bytes are made while they are sent.

A thread makes the next piece while the event loop sends the one before. When a piece cannot be made (a file
turned out to be damaged), the connection is cut: the client sees fewer bytes than were announced, never
wrong ones.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping

from fastapi import Response
from starlette.types import Receive, Scope, Send

from packages.errors import HoldfastError

log = logging.getLogger("holdfast.api")

_END = b""


class Streamed(Response):
    """An answer of `length` bytes that `chunks` yields; to HEAD it is answered without them.

    The first piece is made before the status is sent, so that trouble with it can still be told as a
    problem. `chunks` is closed when the client goes away.
    """

    def __init__(
        self,
        chunks: Iterator[bytes | memoryview],
        length: int,
        *,
        media_type: str,
        headers: Mapping[str, str],
        status_code: int = 200,
    ) -> None:
        self._chunks = chunks
        self._left = length
        said = {**headers, "Content-Length": str(length), "Content-Type": media_type}
        super().__init__(None, status_code, said)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it (ASGI)."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        loop = asyncio.get_running_loop()
        gone = asyncio.ensure_future(_gone(receive))
        ahead = loop.run_in_executor(None, next, self._chunks, _END)
        is_begun = False
        try:
            piece = await ahead
            is_begun = True
            await send(start)
            while piece and not gone.done():
                ahead = loop.run_in_executor(None, next, self._chunks, _END)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                self._left -= len(piece)
                piece = await ahead
            if not gone.done() and not self._left:
                await send({"type": "http.response.body", "body": b""})
        except HoldfastError as error:
            if not is_begun:
                raise
            # No defect: a traceback would say nothing. Without its end the server closes the connection.
            log.error("cut off %s, %d bytes missing: %s", scope["path"], self._left, error.message)  # noqa: TRY400  # see above
        finally:
            gone.cancel()
            await asyncio.wait([ahead])
            close = getattr(self._chunks, "close", None)
            if close is not None:
                await loop.run_in_executor(None, close)


async def _gone(receive: Receive) -> None:
    """Return when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
