"""Archived files come from the first store that has them intact, and no store is blamed for another."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from packages.errors import Corrupt
from packages.model import FileEntry
from packages.premis import package_urn
from services.archival_storage import retrieval
from services.archival_storage.retrieval import Sources
from storage.archival import OcflStore
from tests.support.depositor import Depositor
from tests.support.many_stores import archive_with, deposit, states

CONTENT = b"A 1"
INTACT = {"primary": "intact", "copy": "intact"}


class Dying(io.BytesIO):
    """A file on a disk that dies: it gives other bytes than it was given, and then an error."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError(5, "Input/output error")
        return super().read(1 if size is None else min(size, 2))


@pytest.fixture
def dying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Depositor, str, FileEntry]]:
    """A package whose file in the primary store lies on such a disk."""
    with archive_with(tmp_path, ("primary", "copy"), "") as depositor:
        package_id = deposit(depositor, tmp_path)
        opened, primary = OcflStore.open, depositor.archive.primary

        def opening(self: OcflStore, object_id: str, path: str) -> Any:
            is_dying = self is primary and path.endswith("a.txt")
            return Dying(b"bad") if is_dying else opened(self, object_id, path)

        monkeypatch.setattr(OcflStore, "open", opening)
        with depositor.archive.catalogue.read() as view:
            yield depositor, package_id, view.file(package_id, 1, "data/original/a.txt")


def test_J1_what_a_dying_store_gave_is_not_laid_to_the_next_one(dying) -> None:
    depositor, package_id, entry = dying
    assert b"".join(Sources(depositor.archive, package_urn(package_id)).chunks(entry)) == CONTENT
    assert states(depositor.archive, package_id) == INTACT


def test_J1_of_bytes_that_were_given_out_from_two_stores_neither_is_blamed(
    dying, monkeypatch: pytest.MonkeyPatch
) -> None:
    depositor, package_id, entry = dying
    monkeypatch.setattr(retrieval, "CHUNK", 1)
    monkeypatch.setattr(retrieval, "HELD_BACK", 1)
    monkeypatch.setattr(Dying, "read", _two_bytes)
    sources = Sources(depositor.archive, package_urn(package_id))
    given = []
    with pytest.raises(Corrupt, match="or in one that broke off before"):
        given.extend(sources.chunks(entry))
    assert given[0] == b"b"
    assert states(depositor.archive, package_id) == INTACT
    assert b"".join(sources.chunks(entry)) == CONTENT, "from the intact one, when it is asked again"


def _two_bytes(self: Dying, size: int | None = -1) -> bytes:
    if self.tell() == 2:
        raise OSError(5, "Input/output error")
    return io.BytesIO.read(self, size)
