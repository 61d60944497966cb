"""The real S3 server of scripts/services: a bucket of this test process, and what lies on its disk."""

import atexit
import os
import shutil
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from s3fs import S3FileSystem

from storage.archival import OcflStore, open_store


@dataclass(frozen=True)
class Server:
    """Where it is, who we are there, and the folder that it keeps our bucket in."""

    endpoint: str
    key: str
    secret: str
    bucket: str
    folder: Path

    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use the server."""
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOLDFAST_S3_ENDPOINT_URL": self.endpoint,
        }

    def url(self, *names: str) -> str:
        """A prefix in the bucket that nobody else has."""
        return "/".join([f"s3://{self.bucket}", uuid.uuid4().hex[:12], *names])

    def open(self, name: str, url: str) -> OcflStore:
        return open_store(name, url, s3_endpoint_url=self.endpoint)

    def file(self, url: str, key: str = "") -> Path:
        """Where the server keeps a key."""
        path = self.folder / url.removeprefix(f"s3://{self.bucket}/")
        return path / key if key else path

    def client(self) -> S3FileSystem:
        """An s3fs of the test's own, for what the product has no business doing."""
        return client(self.endpoint, self.key, self.secret)


def client(endpoint: str, key: str, secret: str) -> S3FileSystem:
    return S3FileSystem(
        key=key, secret=secret, endpoint_url=endpoint, skip_instance_cache=True, use_listings_cache=False
    )


def server(patch: pytest.MonkeyPatch) -> Server:
    """The server, with this process's environment set for it; skips where there is none."""
    if not (address := os.environ.get("HOLDFAST_TEST_S3")):
        pytest.skip("HOLDFAST_TEST_S3 is not set: scripts/services start, then scripts/services env")
    found = _with_bucket(address, os.environ["HOLDFAST_TEST_S3_DATA"])
    for name, value in found.environment().items():
        patch.setenv(name, value)
    return found


@cache
def _with_bucket(address: str, data: str) -> Server:
    parts = urlsplit(address)
    assert parts.username
    assert parts.password
    bucket = f"test-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    endpoint = f"http://{parts.hostname}:{parts.port}"
    client(endpoint, parts.username, parts.password).call_s3("create_bucket", Bucket=bucket)
    atexit.register(shutil.rmtree, Path(data) / bucket, ignore_errors=True)
    return Server(endpoint, parts.username, parts.password, bucket, Path(data) / bucket)
