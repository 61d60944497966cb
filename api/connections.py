"""Connections: how long, and how many bytes, a client may take to ask for something."""

import asyncio

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.problems import MEDIA_TYPE

HEAD_SECONDS = 30.0
"""Seconds in which the head of a request has to come; the first one, from the moment of connecting."""
HEAD_BYTES = 64 << 10
"""Bytes that the head of a request may have, and what is read at once beyond them."""


class BoundedConnection(HttpToolsProtocol):
    """A connection that is closed when the head of a request takes too long, or is too long.

    Nobody has signed in by then, and each such connection would hold a descriptor, or memory, for ever.
    What comes after the head has bounds of its own (`api.guards`, `api.reading_bodies`).
    """

    _deadline: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its parent
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; close the connection when it is still no head."""
        super().data_received(data)
        if self._deadline is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request at all as every problem is answered (RFC 9457)."""
        body = orjson.dumps(
            {
                "type": "about:blank",
                "title": "Bad Request",
                "status": 400,
                "detail": msg,
                "hint": "an address may have 64 KiB",
                "findings": [],
                "request_id": None,
            }
        )
        head = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head.encode("ascii") + body)
        self.transport.close()

    def on_message_begin(self) -> None:
        """Wait for the head that begins."""
        if self._deadline is None:
            self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Have the head answered."""
        self._came()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._head = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.close()
