"""The bytes of packages: single files, AIP, DIP and receipt.

What is served whole is verified while it is sent; when it turns out to be damaged before the first byte, the
next store answers, and afterwards the connection is cut, so that a client never takes a wrong file for a
right one.
"""

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.convertors import Convertor, register_url_convertor

from api.answers import is_named
from api.http_fields import (
    BINARY,
    INLINE,
    NAMED,
    Unsatisfiable,
    byte_range,
    digest_field,
    disposition,
    safe_type,
    with_charset,
)
from api.identity import Archivist, Reader, Served, SignedIn
from api.models import ID, TIME
from api.problems import HttpProblem, described
from api.references import Reference
from api.streaming import Streamed
from services.access.content import Bundle, bundle, open_file
from services.access.export import receipt

router = APIRouter(tags=["content"])

Pieces = Iterator[bytes | memoryview] | Iterator[bytes]

PACKAGE = "/api/packages/{id:reference}"
INERT = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; "
    "media-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}
"""For bytes that somebody deposited: nothing in them is run, embeds or asks for anything."""

RECEIPT = {
    "schema": {"type": "object"},
    "example": {
        "id": ID,
        "version": 1,
        "title": "Plans of the harbour",
        "manifest": "sha512:118808a546e50d78ab9671d5ee2998bfd1c3e1e2bb869ce2c04b479cdf4c6079…",
        "files": 3,
        "bytes": 369,
        "received": TIME,
    },
}


class NameConvertor(Convertor[str]):
    """Takes a file's path as it is: with slashes, and with line ends, which ``path`` would not take."""

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        """Return the text that was matched."""
        return value

    def to_string(self, value: str) -> str:
        """Return the text as it stands in an address."""
        return value


register_url_convertor("file_path", NameConvertor())

FilePath = Annotated[
    str,
    Path(
        alias="path",
        description="The file's path in the package, as the list of files has it.",
        examples=["data/original/letters/1911.pdf"],
    ),
]
Version = Annotated[
    int | None, Query(ge=1, le=1_000_000, description="A version; the newest one if left out.")
]


def _bytes(*types: str) -> dict[str, Any]:
    binary = {"type": "string", "format": "binary"}
    # What is deposited may be JSON too, and then is no string to those who read it.
    return {each: {"schema": {} if each.endswith("json") else binary} for each in types}


def _served(*types: str) -> dict[int | str, dict[str, Any]]:
    """Return the description of answers that are bytes of these types."""
    return {
        200: {"description": "All of it.", "content": _bytes(*types)},
        206: {"description": "The range that was asked for.", "content": _bytes(*types)},
        304: {"description": "Nothing has changed since that ETag."},
        **described(400, 401, 403, 404, 409, 416, 422, 429, 500, 503),
    }


_FILES = _served(*sorted(INLINE | NAMED | {BINARY}))
_ZIP = _served("application/zip")


@router.get(f"{PACKAGE}/files/{{path:file_path}}", response_class=Response, responses=_FILES)
@router.head(f"{PACKAGE}/files/{{path:file_path}}", include_in_schema=False)
def get_file(
    request: Request,
    archive: Served,
    actor: Reader,
    reference: Reference,
    path: FilePath,
    version: Version = None,
) -> Response:
    """Download one file of a package.

    The whole is verified while it is sent. A digest is of a whole file: of a range only the size of the file
    is checked, so compare the whole with `Repr-Digest` once you have it.
    """
    found = open_file(archive, actor, reference, path, version)
    media_type, kind = safe_type(found.entry.mime)
    media_type = with_charset(media_type, str(found.entry.properties.get("encoding", "")))
    headers = {
        **INERT,
        "Content-Disposition": disposition(kind, found.entry.path.rpartition("/")[2]),
        "Repr-Digest": digest_field(found.entry.sha512),
    }
    tag = f'"{found.entry.sha512}"'
    return _answered(request, found.entry.size, tag, media_type, headers, found.whole, found.part)


@router.get(f"{PACKAGE}/dip", response_class=Response, responses=_ZIP)
@router.head(f"{PACKAGE}/dip", include_in_schema=False)
def get_dip(
    request: Request, archive: Served, actor: Reader, reference: Reference, version: Version = None
) -> Response:
    """Download a package for readers (DIP): a ZIP with a BagIt bag of originals, access copies and record.

    Its length is known beforehand, and each range of it is verified as the whole is, so that a download that
    broke off can go on.
    """
    return _zipped(request, bundle(archive, actor, reference, "dip", version))


@router.get(f"{PACKAGE}/aip", response_class=Response, responses=_ZIP)
@router.head(f"{PACKAGE}/aip", include_in_schema=False)
def get_aip(
    request: Request, archive: Served, actor: Archivist, reference: Reference, version: Version = None
) -> Response:
    """Download a package as it is kept (AIP): a ZIP with a BagIt bag of everything. For archivists."""
    return _zipped(request, bundle(archive, actor, reference, "aip", version))


@router.get(
    f"{PACKAGE}/receipt",
    response_class=Response,
    responses={
        200: {"description": "The receipt.", "content": {"application/json": RECEIPT}},
        **described(400, 401, 403, 404, 409, 422, 429, 500, 503),
    },
)
def get_receipt(archive: Served, actor: SignedIn, reference: Reference) -> Response:
    """Download the depositor's receipt: what was taken in, when, with which digests."""
    data = receipt(archive, actor, reference)
    headers = {**INERT, "Content-Disposition": disposition("attachment", "receipt.json")}
    return Response(data, headers=headers, media_type="application/json")


def _zipped(request: Request, found: Bundle) -> Response:
    headers = {**INERT, "Content-Disposition": disposition("attachment", found.name)}
    stream = found.stream
    return _answered(
        request, stream.length, f'"{found.tag}"', "application/zip", headers, stream.chunks, stream.chunks
    )


def _answered(
    request: Request,
    size: int,
    tag: str,
    media_type: str,
    headers: Mapping[str, str],
    whole: Callable[[], Pieces],
    part: Callable[[int, int], Pieces],
) -> Response:
    """Answer with the whole, a range, or that nothing has changed (RFC 9110, 13 and 14)."""
    said = {**headers, "ETag": tag, "Accept-Ranges": "bytes"}
    if is_named(tag, request.headers.get("if-none-match")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=said)
    wanted = None
    if request.method == "GET" and request.headers.get("if-range", tag) == tag:
        try:
            wanted = byte_range(request.headers.get("range"), size)
        except Unsatisfiable:
            raise HttpProblem(
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
                f"it has {size} bytes",
                headers={"Content-Range": f"bytes */{size}"},
            ) from None
    if wanted is None:
        chunks = iter(()) if request.method == "HEAD" else whole()
        return Streamed(chunks, size, media_type=media_type, headers=said)
    start, stop = wanted
    said["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return Streamed(
        part(start, stop),
        stop - start,
        media_type=media_type,
        headers=said,
        status_code=HTTPStatus.PARTIAL_CONTENT,
    )
