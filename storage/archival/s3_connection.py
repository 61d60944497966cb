"""The way to one prefix of one bucket, through s3fs: how it is set up, and each request that we send.

An instance may be shared by threads; a forked process makes its own s3fs, for event loops do not survive.
"""

import base64
import os
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from botocore.handlers import add_expect_header
from fsspec.asyn import sync
from s3fs import S3FileSystem

from packages.errors import Conflict, NotFound, Refused, Unavailable
from storage.archival.s3_errors import is_empty_range, translated

IN_FLIGHT = 8
"""Requests for small files at a time: more do not make it faster, one alone waits for each round trip."""
SOON_SENT = 1 << 16
"""Bytes of a body that are on their way before an answer can come: sockets hold that much."""
_ATTEMPTS = 3  # of one request, by botocore, with growing pauses; only what may pass
_PAGE = 1000  # keys that one DeleteObjects may name
_IDLE = 100  # pages in a row that may be empty: servers skip what was deleted


class Connection:
    """Requests below ``bucket/prefix``; keys are relative to it and exact."""

    def __init__(self, bucket: str, prefix: str, endpoint_url: str | None, timeout: float) -> None:
        self.bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._url = f"s3://{bucket}/{prefix}".rstrip("/")
        self._endpoint_url = endpoint_url
        self._timeout = timeout

    @property
    def url(self) -> str:
        """Return the prefix as a URL."""
        return self._url

    def path(self, key: str) -> str:
        """Return a key as s3fs names it."""
        return f"{self.bucket}/{self._prefix}{key}"

    def call(self, method: str, what: str, **named: Any) -> Any:
        """Send one request to the bucket; `what` names the thing in an error."""
        with translated(f"{what} in {self._url}"):
            return self._fs.call_s3(method, Bucket=self.bucket, **named)

    def on_key(self, method: str, key: str, **named: Any) -> Any:
        """Send one request that is about a key."""
        return self.call(method, key, Key=self._prefix + key, **named)

    def put(self, key: str, data: bytes, **named: Any) -> None:
        """Write a key in one request, its CRC-32 along with it; `named` may hold a condition.

        Raises Conflict where the condition does not hold. A server may say so before it has read the body and
        hang up while we still send: so we look before a large body goes out, and where a connection broke.
        """
        if named and len(data) > SOON_SENT:
            self._check_condition(key, **named)
        try:
            self.on_key("put_object", key, Body=data, ChecksumCRC32=crc32(data), **named)
        except Unavailable:
            if named:
                self._check_condition(key, **named)
            raise

    def get(self, key: str, start: int = 0, count: int = 0, **named: Any) -> tuple[bytes, int, str]:
        """Return bytes of a key, its size, and the ETag of what was read; all of it without a `count`.

        Raises NotFound, and Conflict where a condition in `named` does not hold.
        """
        if count:
            named["Range"] = f"bytes={start}-{start + count - 1}"
        try:
            with translated(f"{key} in {self._url}"):
                data, answer = sync(self._fs.loop, self._fetch, self._prefix + key, named)
        except Unavailable as error:
            if not (count and is_empty_range(error)):
                raise
            head = self.head(key)
            return b"", int(head["ContentLength"]), str(head["ETag"])
        ranged = str(answer.get("ContentRange", ""))
        size = int(ranged.rpartition("/")[2]) if ranged else len(data)
        if len(data) != int(answer["ContentLength"]):
            raise Unavailable(f"{key} in {self._url} came in part only.", hint="Try again later.")
        return data, size, str(answer["ETag"])

    def head(self, key: str) -> dict[str, Any]:
        """Return what the server says of a key."""
        return dict(self.on_key("head_object", key, ChecksumMode="ENABLED"))

    def _check_condition(self, key: str, IfNoneMatch: str = "", IfMatch: str = "") -> None:  # noqa: N803  # as S3 names them
        """Raise Conflict if a condition does not hold by now."""
        try:
            tag = self.head(key)["ETag"]
        except NotFound:
            tag = None
        if (IfNoneMatch and tag is not None) or (IfMatch and tag != IfMatch):
            raise Conflict(f"{key} in {self._url} is occupied already.")

    def copy(self, key: str, to: str) -> None:
        """Copy a key within the server; of any size."""
        with translated(f"{key} in {self._url}"):
            self._fs.cp_file(self.path(key), self.path(to))

    def remove(self, key: str) -> None:
        """Remove exactly this key; no error when it is absent."""
        with translated(f"{key} in {self._url}"):
            self._fs.rm_file(self.path(key))

    def remove_all(self, keys: Iterator[str]) -> None:
        """Remove many keys, a thousand a request; raises the first thing that the server complains of."""
        page: list[dict[str, str]] = []
        for key in keys:
            page.append({"Key": self._prefix + key})
            if len(page) == _PAGE:
                self._remove_page(page)
                page = []
        if page:
            self._remove_page(page)

    def pages(
        self, folder: str, delimiter: str = "", limit: int = _PAGE
    ) -> Iterator[tuple[list[str], list[str]]]:
        """Yield (keys, prefixes) below a folder, a page at a time, relative to the root."""
        below = f"{self._prefix}{folder}/" if folder else self._prefix
        named: dict[str, Any] = {"Prefix": below, "Delimiter": delimiter, "MaxKeys": limit}
        cut, idle = len(self._prefix), 0
        while True:
            page = self.call("list_objects_v2", folder or "the root", **named)
            yield (
                [each["Key"][cut:] for each in page.get("Contents", ())],
                [each["Prefix"][cut:] for each in page.get("CommonPrefixes", ())],
            )
            if not page.get("IsTruncated"):
                return
            self._go_on(named, idle, ContinuationToken=page.get("NextContinuationToken"))
            idle = 0 if page.get("Contents") or page.get("CommonPrefixes") else idle + 1

    def uploads(self) -> Iterator[tuple[str, str, Any]]:
        """Yield (key, upload id, when begun) of every upload in parts that was not completed."""
        named: dict[str, Any] = {"Prefix": self._prefix}
        idle = 0
        while True:
            page = self.call("list_multipart_uploads", "uploads", **named)
            for each in page.get("Uploads", ()):
                yield each["Key"][len(self._prefix) :], each["UploadId"], each["Initiated"]
            if not page.get("IsTruncated"):
                return
            where = {"KeyMarker": page.get("NextKeyMarker"), "UploadIdMarker": page.get("NextUploadIdMarker")}
            self._go_on(named, idle, **where)
            idle = 0 if page.get("Uploads") else idle + 1

    def _go_on(self, named: dict[str, Any], idle: int, **where: str | None) -> None:
        """Ask for the next page. Raises Unavailable for a server that would give pages without end."""
        if (
            None in where.values()
            or idle >= _IDLE
            or all(named.get(each) == to for each, to in where.items())
        ):
            raise Unavailable(f"{self._url}: the S3 server lists without end.", hint="Check the server.")
        named.update(where)

    def _remove_page(self, page: list[dict[str, str]]) -> None:
        answer = self.call("delete_objects", "keys", Delete={"Objects": page, "Quiet": True})
        for trouble in answer.get("Errors", ()):
            if trouble.get("Code") != "NoSuchKey":
                self.remove(trouble["Key"][len(self._prefix) :])  # alone, so that its error is told

    async def _fetch(self, key: str, named: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        answer = await self._fs._call_s3("get_object", Bucket=self.bucket, Key=key, **named)  # noqa: SLF001  # the form for coroutines
        async with answer["Body"] as body:
            return await body.read(), answer

    @property
    def _fs(self) -> Any:
        """Return this process's s3fs."""
        with translated(self._url):
            return _client(os.getpid(), self._endpoint_url, self._timeout, _credentials())


def _credentials() -> tuple[tuple[str, str], ...]:
    """Return what a client was made with, so that another one is made when that changes."""
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))


@lru_cache(maxsize=8)
def _client(
    pid: int, endpoint_url: str | None, timeout: float, credentials: tuple[tuple[str, str], ...]
) -> Any:
    """Make an s3fs for this process: no listing cached, nothing shared with others, no endless wait.

    It costs 0.2 s of processor time, and keeps connections open: stores of one server share it.
    """
    del pid, credentials
    if not _is_web(endpoint_url or "http://default"):  # not repeated: it may hold credentials
        raise Refused("HOLDFAST_S3_ENDPOINT_URL is no http:// or https:// URL.")
    fs = S3FileSystem(
        endpoint_url=endpoint_url,
        use_listings_cache=False,
        skip_instance_cache=True,
        config_kwargs={
            "connect_timeout": min(5.0, timeout),
            "read_timeout": timeout,
            "retries": {"mode": "standard", "total_max_attempts": _ATTEMPTS},
            "max_pool_connections": 2 * IN_FLIGHT,
            "user_agent": "Holdfast",  # botocore's own is put together anew for each request, twice
            # Else damage on the medium would be told as a broken transfer: our SHA-512 tells it.
            "response_checksum_validation": "when_required",
        },
    )
    fs.retries = 1  # botocore's are enough; the two would multiply
    fs.connect()
    # With "Expect: 100-continue" a silent server is waited for without end, whatever the time-out.
    fs.s3.meta.events.unregister("before-call.s3", add_expect_header)
    return fs


def _is_web(url: str) -> bool:
    try:
        address = urlsplit(url)
        return address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
    except ValueError:  # its text may repeat the URL
        return False


def crc32(data: bytes) -> str:
    """Return a CRC-32 as S3 writes it."""
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def is_there(connection: Connection, key: str) -> bool:
    """Tell whether a key exists."""
    try:
        connection.head(key)
    except NotFound:
        return False
    return True
