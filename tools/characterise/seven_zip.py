"""7z archives: what is inside, listed from the header and never unpacked."""

from pathlib import Path
from typing import Any

import py7zr

from tools.characterise import packed

FIELDS = {
    name: packed.FIELDS[name]
    for name in (
        "archive", "compression", "files", "folders", "unpacked_bytes", "largest_bytes", "encrypted_files",
        "archives_inside", "contents", "judged_members", "problem",
    )
}  # fmt: skip  # a table
BOUNDS = "200,000 members; only the header is read."


def tool() -> str:
    """Return name and version."""
    return f"py7zr {py7zr.__version__}"


def read(path: Path) -> dict[str, Any]:
    """Return what is inside: counts, sizes and the first names."""
    try:
        with py7zr.SevenZipFile(path) as archive:
            found = {"archive": "7z", "compression": "+".join(archive.archiveinfo().method_names)}
            found |= packed.counted(
                packed.Member(each.filename, each.uncompressed, "folder" if each.is_directory else "file")
                for each in archive.list()
            )
            if archive.needs_password():
                found["encrypted_files"] = found["files"]
            return found
    except py7zr.PasswordRequired:
        return {"archive": "7z", "problem": "its list of files is encrypted"}
