"""Archives to be harmed, and the hands that harm what they keep; for tests of fixity."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.ocfl import layout
from packages.ocfl.inventory import dump, parse, sidecar
from packages.premis import package_urn
from services.archive import Archive
from services.store_settings import path_of
from tests.support.depositor import Depositor, depositor_of, put

LETTER = "v1/content/data/original/letter.txt"
OTHER = "v1/content/data/original/other.txt"
FILES = {"letter.txt": b"Dear harbour,\n", "other.txt": b"Dear pilot,\n"}


@pytest.fixture
def one(tmp_path: Path) -> Iterator[tuple[Depositor, str]]:
    """An archive with one package."""
    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:
        yield depositor, depositor.accepted(put(tmp_path / "in", FILES)).id


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Depositor]:
    """An archive with five packages."""
    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:
        for number in range(5):
            depositor.accepted(put(tmp_path / f"in{number}", {"a.txt": b"%d" % number}))
        yield depositor


def root_of(archive: Archive, store: str) -> Path:
    return path_of(archive.settings.store_urls[store])


def object_in(archive: Archive, package: str, store: str = "copy") -> Path:
    return root_of(archive, store) / layout.object_path(package_urn(package))


def overwrite(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def flip(path: Path) -> None:
    data = path.read_bytes()
    overwrite(path, bytes([data[0] ^ 1]) + data[1:])


def swap(one: Path, other: Path) -> None:
    a, b = one.read_bytes(), other.read_bytes()
    overwrite(one, b)
    overwrite(other, a)


def rewrite(place: Path, file: str = LETTER) -> None:
    """A file in other words, and every inventory and sidecar to match."""
    old = (place / file).read_bytes()
    new = b"Dear Sir,\n"
    overwrite(place / file, new)
    for folder in (place, place / "v1"):
        data = (folder / "inventory.json").read_bytes()
        data = data.replace(*(hashlib.sha512(each).hexdigest().encode() for each in (old, new)))
        data = dump(parse(data))
        overwrite(folder / "inventory.json", data)
        overwrite(folder / "inventory.json.sha512", sidecar(hashlib.sha512(data).hexdigest()))
