"""What tests of uploads look at: what was entered, what came in, what lies in staging."""

import base64
import hashlib
import io
import os
import zipfile

from packages.ledger import Package, PackageFilter
from services.archive import Archive
from storage.staging import UPLOADS

ZIP = {"Content-Type": "application/zip"}


def left_in(archive: Archive) -> list[str]:
    """Return what lies in staging, by its path."""
    root = archive.staging.root
    return sorted(str(each.relative_to(root)) for each in root.rglob("*") if each.name != UPLOADS)


def packed(**files: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as bundle:
        for name, content in {"letter.txt": os.urandom(20).hex().encode(), **files}.items():
            bundle.writestr(name, content)
    return data.getvalue()


def entered(archive: Archive) -> int:
    with archive.catalogue.read() as view:
        return sum(1 for _ in view.iter_packages(PackageFilter()))


def digest_of(data: bytes, name: str = "sha256") -> str:
    return base64.b64encode(hashlib.new(name, data).digest()).decode()


def status_of(archive: Archive, package_id: str) -> Package:
    with archive.catalogue.read() as view:
        return view.package(package_id)


def originals(archive: Archive, package_id: str) -> set[str]:
    with archive.catalogue.read() as view:
        files = view.iter_files(package_id, 1)
        return {each.path.removeprefix("data/original/") for each in files if each.role == "original"}
