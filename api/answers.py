"""Answers in JSON: with an ETag from the content, 304 where nothing changed, and pages linked by key."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import Depends, Query, Request, Response

from api.problems import HttpProblem

JSON = "application/json"
LIMIT = 100
MOST = 1000

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
After = Annotated[
    str | None,
    Query(
        description="The token of a page, as the page before gave it in `next`.",
        max_length=8192,
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]*$"},  # `key_of` says what to do about any other
    ),
]


async def _body(request: Request) -> bytes:
    return await request.body()


RawBody = Annotated[bytes, Depends(_body)]
"""A body as it came, for routes that judge it themselves; the guards see to its size."""


def json_answer(
    request: Request, value: object, *, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Return `value` as JSON; asked with the ETag that it would have, nothing but 304."""
    body = orjson.dumps(value)
    said = dict(headers or {})
    if status == HTTPStatus.OK and request.method in {"GET", "HEAD"}:
        tag = said.setdefault("ETag", etag_of(body))
        if is_named(tag, request.headers.get("if-none-match")):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=said)
    return Response(body, status, said, JSON)


def etag_of(body: bytes) -> str:
    """Return the strong ETag of an answer's body."""
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def is_named(tag: str, header: str | None) -> bool:
    """Tell whether an If-None-Match or If-Match header names `tag`, weakly or not."""
    if header is None:
        return False
    named = [each.strip().removeprefix("W/") for each in header.split(",")]
    return tag.removeprefix("W/") in named or named == ["*"]


def token_of(*key: str) -> str:
    """Return the opaque token of a page's last key."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def key_of(token: str | None, parts: int) -> tuple[str, ...] | None:
    """Return the key that `token_of` was given, or None for None. Any other text is a problem (422)."""
    if token is None:
        return None
    try:
        key = orjson.loads(base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True))
    except (ValueError, binascii.Error):
        key = None
    if not isinstance(key, list) or len(key) != parts or not all(isinstance(each, str) for each in key):
        raise HttpProblem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "after: this is no token of a page",
            hint="take it from `next`, or from the Link header, of the page before",
        )
    return tuple(key)


def linked(request: Request, token: str | None) -> dict[str, str]:
    """Return the Link header to the page behind `token`, if there is one."""
    if token is None:
        return {}
    address = request.url.include_query_params(after=token)
    return {"Link": f'<{address.path}?{address.query}>; rel="next"'}


def page_answer(request: Request, value: Mapping[str, Any]) -> Response:
    """Return a page, whose ``next`` is linked too."""
    return json_answer(request, value, headers=linked(request, value["next"]))
