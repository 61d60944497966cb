"""Media in the real S3 server, for the tests of what S3 alone does."""

import io
from functools import partial
from typing import Any

import pytest

from storage.archival.medium import Pace
from storage.archival.s3 import S3Medium
from tests.support.s3_server import Server, server

QUIET = Pace()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Server:
    return server(monkeypatch)


@pytest.fixture
def medium(s3: Server) -> S3Medium:
    return medium_at(s3, s3.endpoint)


def medium_at(s3: Server, endpoint: str, url: str = "", timeout: float = 60.0) -> S3Medium:
    prefix = (url or s3.url()).removeprefix(f"s3://{s3.bucket}/")
    return S3Medium(s3.bucket, prefix, endpoint_url=endpoint, timeout=timeout)


def put(medium: Any, key: str, data: bytes) -> None:
    medium.write([(key, partial(io.BytesIO, data))], QUIET)


def uploads(medium: S3Medium) -> list[str]:
    return [key for key, _, _ in medium._connection.uploads()]
