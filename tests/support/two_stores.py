"""A primary and a copy of the same kind, for tests of archival stores."""

import os
import uuid
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from packages.ocfl import layout
from storage.archival import OcflStore, open_store
from storage.archival.medium import STAGING
from storage.ports import StagedVersion
from tests.support.ocfl_objects import OBJECT, first, following
from tests.support.s3_server import server

FILES = {"bagit.txt": b"bag", "data/a.txt": b"A" * 100, "data/b.txt": b"B", "data/zero": b"", "data/c": b"B"}
ROOT = layout.object_path(OBJECT)


class Two:
    """A primary and a copy of the same kind (or below one URL), and a folder to stage in."""

    def __init__(self, kind: str, folder: Path) -> None:
        place = {"file": f"file://{folder}", "memory": f"memory://{uuid.uuid4().hex}"}.get(kind, kind)
        self.primary = self.open("primary", f"{place}/primary")
        self.copy = self.open("copy", f"{place}/copy")
        self.folder = folder
        for store in (self.primary, self.copy):
            store.prepare("archive-1")

    def open(self, name: str, url: str) -> OcflStore:
        return open_store(name, url, s3_endpoint_url=os.environ.get("HOLDFAST_S3_ENDPOINT_URL", ""))

    def first(self, files=FILES, object_id: str = OBJECT) -> StagedVersion:
        return first(self.folder / uuid.uuid4().hex, files, object_id)

    def following(self, files, removed=()) -> StagedVersion:
        base = self.primary.inventory(OBJECT)
        return following(self.folder / uuid.uuid4().hex, base, files, removed)

    def both(self) -> "Two":
        self.primary.publish(self.first())
        self.primary.publish(self.following({"data/b.txt": b"changed", "data/new": b"new"}, ["data/zero"]))
        self.copy.replicate(self.primary, OBJECT)
        return self


@pytest.fixture(params=["file", "memory", pytest.param("s3", marks=pytest.mark.server)])
def two(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Two:
    if request.param == "s3":
        return Two(server(monkeypatch).url(), tmp_path)
    MemoryFileSystem.store.clear()
    return Two(request.param, tmp_path)


def keys(store: OcflStore, folder: str = "") -> dict[str, bytes]:
    return {key: store.medium.read(key) for key, kind in store.medium.walk(folder) if kind == "file"}


def overwrite(store: OcflStore, path: str, data: bytes) -> None:
    store.medium.replace(f"{ROOT}/{path}", data)


def is_clean(store: OcflStore) -> bool:
    return not list(store.medium.walk(STAGING)) and not list(store.medium.list(STAGING))
