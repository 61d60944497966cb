"""Bodies of requests as a stream: the archive as it is, or the files of a form, in bounded memory.

The event loop only gathers what comes; a thread counts, digests, parses and writes it, a MiB at a time, while
the next one comes.
"""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser
from starlette.requests import ClientDisconnect

from api.http_fields import disposition_parameters
from api.problems import HttpProblem
from services.ingest.deposits import Upload
from services.ingest.examination import RECORD_BYTES

PIECE = 1 << 20
PATIENCE = 120.0
"""Seconds without a byte after which a client is given up."""
SLOWEST = 1024
"""Bytes a second that a client sends on average, once it has sent for `SLOW_SECONDS`; a modem sends more."""
SLOW_SECONDS = 600.0
FIELD_BYTES = 64 << 10
FIELDS = frozenset({"title", "corrects", "new", "name", "record", "form_token"})
_HEADER_BYTES = 64 << 10

Feed = Callable[[Sequence[bytes]], None]


class Raw:
    """Takes a body that is the archive itself."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self.fields: dict[str, str] = {}
        self.record: bytes | None = None

    def feed(self, pieces: Sequence[bytes]) -> None:
        """Take the next pieces."""
        for data in pieces:
            self._upload.count(data)
            self._upload.write(data)

    def close(self) -> None:
        """Take note of the end."""


class Form:
    """Takes ``multipart/form-data`` (RFC 7578): files go to the upload as they come, fields are kept.

    A file named ``record`` is the record beside the files. Raises HttpProblem for what is no such form.
    """

    def __init__(self, upload: Upload, boundary: str) -> None:
        self._upload = upload
        self.fields: dict[str, str] = {}
        self.record: bytes | None = None
        self._name = ""
        self._kept: bytearray | None = None
        self._is_file = self._is_over = False
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._disposition = b""
        try:
            self._parser = MultipartParser(
                boundary.encode("latin-1"),
                {
                    "on_part_begin": self._part,
                    "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                    "on_header_end": self._header_ended,
                    "on_headers_finished": self._headers_ended,
                    "on_part_data": self._data,
                    "on_part_end": self._part_ended,
                    "on_end": self._ended,
                },
                max_header_size=_HEADER_BYTES,
            )
        except (MultipartParseError, ValueError) as error:
            raise _no_form(error) from error

    def feed(self, pieces: Sequence[bytes]) -> None:
        """Take the next pieces."""
        try:
            for data in pieces:
                self._upload.count(data)
                self._parser.write(data)
        except MultipartParseError as error:
            raise _no_form(error) from error

    def close(self) -> None:
        """Take note of the end."""
        if not self._is_over:
            raise _no_form("it ends before its last boundary")

    def _part(self) -> None:
        self._disposition = b""

    def _header_ended(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def _headers_ended(self) -> None:
        said = disposition_parameters(self._disposition)
        self._name = said.get("name", "")
        file_name = said.get("filename*") or said.get("filename")
        # A field of a form that no file was chosen for is sent as a file without a name.
        self._is_file = bool(file_name) and self._name != "record"
        self._kept = None if self._is_file else bytearray()
        if self._is_file and file_name:
            self._upload.begin_file(file_name)
        elif file_name is None and self._name not in FIELDS:
            raise HttpProblem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"a deposit has no field {self._name[:80]!r}",
                hint=f"it may have {', '.join(sorted(FIELDS - {'form_token'}))}, and files with their names",
            )

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._kept is None:
            self._upload.write(memoryview(data)[start:end])
            return
        self._kept += data[start:end]
        if len(self._kept) > (RECORD_BYTES if self._name == "record" else FIELD_BYTES):
            raise HttpProblem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the field {self._name[:80]!r} is too long"
            )

    def _part_ended(self) -> None:
        if self._kept is None:
            self._upload.end_file()
        elif self._name == "record":
            self.record = bytes(self._kept) or None
        elif self._name in FIELDS:
            self.fields[self._name] = self._kept.decode("utf-8", "replace")

    def _ended(self) -> None:
        self._is_over = True


async def pour(request: Request, feed: Feed) -> None:
    """Feed the request's body to `feed`, in order, in a thread.

    Raises ClientDisconnect where it is cut, HttpProblem (408) where nothing comes any more, and what `feed`
    raises. When it returns or raises, `feed` is not at work.
    """
    loop = asyncio.get_running_loop()
    at_work: asyncio.Future[None] | None = None
    pieces: list[bytes] = []
    gathered = total = 0
    began = loop.time()
    try:
        async with asyncio.timeout(PATIENCE) as patience:
            async for chunk in request.stream():
                pieces.append(chunk)
                gathered += len(chunk)
                total += len(chunk)
                _require_pace(total, loop.time() - began)
                if gathered >= PIECE:
                    patience.reschedule(None)
                    if at_work is not None:
                        await at_work
                    at_work = loop.run_in_executor(None, feed, pieces)
                    pieces, gathered = [], 0
                patience.reschedule(loop.time() + PATIENCE)
            patience.reschedule(None)
        if at_work is not None:
            await at_work
        at_work = loop.run_in_executor(None, feed, pieces)
        await at_work
    except TimeoutError:
        raise HttpProblem(
            HTTPStatus.REQUEST_TIMEOUT,
            f"nothing came for {PATIENCE:.0f} seconds",
            hint="nothing was kept; send it again",
            headers={"Connection": "close"},
        ) from None
    finally:
        if at_work is not None:
            await asyncio.wait([at_work])


def _require_pace(total: int, seconds: float) -> None:
    """Raise HttpProblem (408) for a body that comes in drops, each in time, and would come for ever."""
    if seconds > SLOW_SECONDS and total < SLOWEST * seconds:
        raise HttpProblem(
            HTTPStatus.REQUEST_TIMEOUT,
            f"only {total} bytes came in {seconds:.0f} seconds",
            hint="nothing was kept; send it again over a better connection",
            headers={"Connection": "close"},
        )


def _no_form(reason: object) -> HttpProblem:
    return HttpProblem(
        HTTPStatus.BAD_REQUEST, f"this is no multipart/form-data: {reason}", hint="nothing was kept"
    )


__all__ = ["ClientDisconnect", "Form", "Raw", "pour"]
