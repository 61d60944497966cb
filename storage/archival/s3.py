"""A medium that is a prefix of an S3 bucket, through s3fs.

Files are created under a condition (``If-None-Match``), so that none is ever written over; small ones several
at a time, large ones in parts. Each upload bears a checksum that the server compares. A refused condition may
be the answer to our own lost request: what is there is read back and compared. No listing is cached.
"""

import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from packages.errors import Conflict, NotFound, Refused, Unavailable
from storage.archival import attempts
from storage.archival.medium import ABANDONED_AFTER, Files, Item, Pace, Reading
from storage.archival.s3_connection import IN_FLIGHT, SOON_SENT, Connection, is_there
from storage.archival.s3_transfer import MIB, SMALL, open_key, read_back, upload
from storage.ports import Capabilities

log = logging.getLogger(__name__)

CLAIMS = "extensions/holdfast-claims"
Given = TypeVar("Given")
Result = TypeVar("Result")

TIMEOUT = 60.0
LONGEST_PREFIX = 32
"""Bytes: a key may have 1,024, and the longest of an object takes nearly all of them."""


class S3Medium:
    """A prefix of a bucket (see `storage.archival.medium.Medium`); credentials by botocore's rules."""

    def __init__(
        self, bucket: str, prefix: str = "", *, endpoint_url: str | None = None, timeout: float = TIMEOUT
    ) -> None:
        if not bucket or any(segment in {"", ".", ".."} for segment in prefix.split("/") if prefix):
            raise Refused(
                f"s3://{bucket}/{prefix} names no bucket and prefix.", hint="Use s3://bucket/prefix."
            )
        if len(prefix.encode()) > LONGEST_PREFIX:
            raise Refused(f"The prefix {prefix} is longer than {LONGEST_PREFIX} bytes.", hint="Shorten it.")
        self._connection = Connection(bucket, prefix, endpoint_url, timeout)
        self._keeps_conditions: bool | None = None
        self._large = threading.Semaphore(1)  # one large file at a time, in several parts: bounded memory

    @property
    def url(self) -> str:
        """Return ``s3://bucket/prefix``."""
        return self._connection.url

    @property
    def capabilities(self) -> Capabilities:
        """Return what S3 can do; whether the server keeps to conditions is known from the first write on."""
        return Capabilities(
            atomic_rename=False,
            conditional_write=self._keeps_conditions is not False,
            server_checksums=True,
        )

    @property
    def folder(self) -> Path | None:
        """Return None: this is no local folder."""
        return None

    def make(self) -> None:
        """Check that the bucket is there; a bucket is its owner's to create."""
        self.present()

    def present(self) -> bool:
        """Tell whether anything has the prefix; Refused without the bucket or the right to list it."""
        keys, _ = next(self._connection.pages("", limit=1))
        return bool(keys)

    def free_bytes(self) -> int | None:
        """Return None: the notion does not apply."""
        return None

    def read(self, key: str) -> bytes:
        """Return a small file."""
        return self._connection.get(key)[0]

    def open(self, key: str) -> BinaryIO:
        """Open for reading in ranges, seekable."""
        return open_key(self._connection, key)

    def list(self, key: str) -> Iterator[Item]:
        """Yield what lies below a prefix, one level, page by page."""
        for keys, prefixes in self._connection.pages(key, "/"):
            yield from (Item(each.rstrip("/").rpartition("/")[2], "folder") for each in prefixes)
            yield from (Item(each.rpartition("/")[2], "file") for each in keys if not each.endswith("/"))

    def walk(self, key: str) -> Iterator[tuple[str, str]]:
        """Yield every key below a prefix: a request for a thousand, however many folders they are in."""
        for keys, _ in self._connection.pages(key):
            yield from ((each, "file") for each in keys if not each.endswith("/"))

    def create(self, key: str, data: bytes) -> None:
        """Create a key unless it exists."""
        if self._keeps_conditions is False:
            self._create_alone(key, data)
            return
        try:
            self._connection.put(key, data, IfNoneMatch="*")
        except Conflict:
            if self._get_if_there(key) != data:  # else it was us: an answer was lost, the request repeated
                raise
        if self._keeps_conditions is None and len(data) <= SOON_SENT:  # a larger one is not sent twice
            self._keeps_conditions = self._refuses(key, data)

    def replace(self, key: str, data: bytes) -> None:
        """Write a key."""
        self._connection.put(key, data)

    def swap(self, key: str, data: bytes, old: bytes | None) -> None:
        """Replace exactly `old`, or create where it is None."""
        if old is None:
            self.create(key, data)
            return
        found, _, tag = self._connection.get(key)
        if found == data:
            return
        if found != old:
            raise Conflict(f"{key} in {self.url} was changed by somebody else.")
        try:
            self._connection.put(key, data, IfMatch=tag)
        except Conflict:
            if self._get_if_there(key) != data:
                raise

    def write(self, files: Files, pace: Pace) -> None:
        """Create keys, several at a time; one that is there with the same bytes is left as it is."""

        def send(each: tuple[str, Callable[[], BinaryIO]]) -> None:
            self._send(*each, pace)

        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="s3-write") as pool:
            for _ in _in_flight(pool, send, files):
                pass

    def move(self, key: str, to: str) -> None:
        """Copy a key within the server, look at the copy, then remove the old one."""
        before = self._connection.head(key)
        self._connection.copy(key, to)
        if self._connection.head(to)["ContentLength"] != before["ContentLength"]:
            raise Unavailable(f"{key} was not copied to {to} in {self.url}.", hint="Try again.")
        self._connection.remove(key)

    def remove(self, key: str) -> None:
        """Remove exactly this key and those below it as a folder, and see that they are gone."""
        if is_there(self._connection, key):
            self._connection.remove(key)
        below = [each for keys, _ in self._connection.pages(key) for each in keys]
        if not below:
            return
        self._connection.remove_all(iter(below))
        if left := next(self._connection.pages(key, limit=1))[0]:
            raise Unavailable(f"{left[0]} in {self.url} was not removed.", hint="Try again later.")

    def readings(self, keys: Iterable[str], pace: Pace) -> Iterator[Reading]:
        """Read keys back and digest them, several at a time."""

        def read(key: str) -> Reading:
            return read_back(self._connection, key, pace, ahead)

        with (
            ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="s3-ahead") as ahead,
            ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="s3-read") as pool,
        ):
            yield from _in_flight(pool, read, keys)

    def sync(self) -> AbstractContextManager[None]:
        """Do nothing: a key that was accepted is durable as far as the service promises."""
        return nullcontext()

    @contextmanager
    def attempt(self, intent: bytes | None) -> Iterator[str]:
        """Keep a note that is renewed."""
        with attempts.noted(self, intent) as key:
            yield key

    def hold(self, attempt: str) -> None:
        """Renew the note, or raise Conflict."""
        attempts.hold(self, attempt)

    def live_attempts(self, older_than: float) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield what was renewed of late."""
        return attempts.live(self, older_than)

    def dead_attempts(self, older_than: float) -> Iterator[str]:
        """Take over what nobody has renewed."""
        return attempts.dead(self, older_than)

    def abort_uploads(
        self, older_than: float, is_busy: Callable[[str], bool], *, dry_run: bool = False
    ) -> Iterator[str]:
        """Abort uploads in parts that were begun so long ago and whose key is nobody's any more."""
        for key, upload_id, begun in list(self._connection.uploads()):
            age = (datetime.now(UTC) - begun).total_seconds()
            if (older_than and age < older_than) or is_busy(key):
                continue
            try:
                if not dry_run:
                    self._connection.on_key("abort_multipart_upload", key, UploadId=upload_id)
            except NotFound:
                continue
            yield key

    def adopt(self, folder: Path, key: str) -> bool:
        """Return False: there is no rename."""
        del folder, key
        return False

    def _refuses(self, key: str, data: bytes) -> bool:
        """Tell whether the server refuses to create what is there; harmless where it does it again."""
        try:
            self._connection.put(key, data, IfNoneMatch="*")
        except Conflict:
            return True
        log.warning("The server of %s ignores If-None-Match: writers claim each key instead.", self.url)
        return False

    def _create_alone(self, key: str, data: bytes) -> None:
        """Create a key on a server without conditions, while no other claim to it is to be seen.

        Listings are consistent: of two who both claim before they look, each sees the other and gives up.
        """
        folder = f"{CLAIMS}/{hashlib.sha256(key.encode()).hexdigest()}"
        own = str(uuid.uuid4())
        self._connection.put(f"{folder}/{own}", str(time.time()).encode())
        try:
            for item in self.list(folder):
                if item.name != own and self._is_claimed(f"{folder}/{item.name}"):
                    raise Conflict(
                        f"{key} in {self.url} is being written by somebody else.", hint="Try again."
                    )
            if self._get_if_there(key) is None:
                self._connection.put(key, data)
            if self._get_if_there(key) != data:
                raise Conflict(f"{key} in {self.url} is occupied already.")
        finally:
            self._connection.remove(f"{folder}/{own}")

    def _is_claimed(self, claim: str) -> bool:
        """Tell whether a claim is a living writer's; removes one that was left behind."""
        data = self._get_if_there(claim)
        if data is None:
            return False
        if time.time() - float(data) < ABANDONED_AFTER:
            return True
        self._connection.remove(claim)
        return False

    def _send(self, key: str, source: Callable[[], BinaryIO], pace: Pace) -> None:
        with source() as stream:
            first = stream.read(SMALL)
            if len(first) < SMALL:
                self._create_one_of_many(key, first)
                pace.spend(len(first))
                return
            with self._large:
                if not is_there(self._connection, key):
                    try:
                        upload(self._connection, key, first, stream, pace)
                    except Conflict:  # perhaps the same bytes, from somebody else
                        pass
                    else:
                        return
                self._compare(key, stream)

    def _create_one_of_many(self, key: str, data: bytes) -> None:
        """Create a content file: nobody else writes other bytes there, so that a look before is enough."""
        if self._keeps_conditions is not False:
            self.create(key, data)
        elif (there := self._get_if_there(key)) is None:
            self._connection.put(key, data)
        elif there != data:
            raise Conflict(f"{key} in {self.url} is occupied already.")

    def _compare(self, key: str, stream: BinaryIO) -> None:
        """Raise Conflict unless `key` holds what `stream` gives from its beginning."""
        stream.seek(0)
        with self.open(key) as there:
            while (data := stream.read(MIB)) == there.read(MIB):
                if not data:
                    return
        raise Conflict(f"{key} in {self.url} is occupied already.")

    def _get_if_there(self, key: str) -> bytes | None:
        try:
            return self.read(key)
        except NotFound:
            return None


def _in_flight(
    pool: ThreadPoolExecutor, call: Callable[[Given], Result], given: Iterable[Given]
) -> Iterator[Result]:
    """Yield what `call` returns for each of `given`, as it comes; the first error ends it."""
    waiting: set[Future[Result]] = set()
    try:
        for each in given:
            waiting.add(pool.submit(call, each))
            if len(waiting) >= 2 * IN_FLIGHT:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)
    finally:
        for one in waiting:
            one.cancel()
