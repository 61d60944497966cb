"""Things to deposit: small, of every kind that takes its own way through the steps, no two alike."""

import hashlib
import io
import random
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from packages.bagit.paths import format_line

Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Deposit:
    """Something to deposit, and what must come back: path → bytes; `accepted` tells whether it may come."""

    kind: str
    source: Path
    files: Files
    accepted: bool = True


def make(kind: str, folder: Path, number: int) -> Deposit:
    """Make deposit `number` of a kind in `folder`; its source is called ``<kind>-<number>``."""
    folder.mkdir(parents=True, exist_ok=True)
    return MAKERS[kind](folder, number)


def _texts(number: int, count: int = 24) -> dict[str, bytes]:
    draw = random.Random(number)
    files = {
        f"series {i % 5}/letter-{i:03}.txt": f"Letter {i} of deposit {number}: {draw.random()}\n".encode() * 8
        for i in range(count)
    }
    files["series 1/Übersicht 1911.csv"] = f"year;level\n1911;{number}\n".encode()
    files["series 2/data.json"] = f'{{"deposit": {number}}}'.encode()
    files["empty"] = b""
    files["long.dat"] = draw.randbytes(300_000)
    return files


def _write(folder: Path, files: Files) -> None:
    for path, data in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def _bag(files: Files, *, broken: bool = False) -> dict[str, bytes]:
    lines = [format_line(f"data/{path}", hashlib.sha512(data).hexdigest()) for path, data in files.items()]
    if broken:
        lines[0] = format_line("data/never-sent.txt", "0" * 128)
    return {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": b"Source-Organization: Crash test\n",
        "manifest-sha512.txt": "".join(lines).encode(),
        **{f"data/{path}": data for path, data in files.items()},
    }


def _folder(folder: Path, number: int) -> Deposit:
    files = _texts(number)
    source = folder / f"folder-{number}"
    _write(source, files)
    (source / "kept empty").mkdir(exist_ok=True)  # a later round makes the same deposits again
    return Deposit("folder", source, files)


def _zip(folder: Path, number: int) -> Deposit:
    files = _texts(number)
    source = folder / f"zip-{number}.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return Deposit("zip", source, files)


def _bag_folder(folder: Path, number: int) -> Deposit:
    files = _texts(number)
    source = folder / f"bag-{number}"
    _write(source, _bag(files))
    return Deposit("bag", source, files)


def _tar(folder: Path, number: int) -> Deposit:
    files = _texts(number)
    source = folder / f"tar-{number}.tar.gz"
    with tarfile.open(source, "w:gz", compresslevel=1) as archive:
        for path, data in _bag(files).items():
            member = tarfile.TarInfo(f"a bag/{path}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return Deposit("tar", source, files)


def _broken(folder: Path, number: int) -> Deposit:
    files = _texts(number)
    source = folder / f"broken-{number}"
    _write(source, _bag(files, broken=True))
    return Deposit("broken", source, files, accepted=False)


def _image(folder: Path, number: int) -> Deposit:
    draw = random.Random(number)
    files = {"note.txt": f"Plans of deposit {number}\n".encode()}
    for name, form in (("plan.bmp", "BMP"), ("map.tif", "TIFF"), ("sky.png", "PNG")):
        picture = Image.frombytes("RGB", (60, 40), draw.randbytes(60 * 40 * 3))
        data = io.BytesIO()
        picture.save(data, form)
        files[f"pictures/{name}"] = data.getvalue()
    source = folder / f"image-{number}"
    _write(source, files)
    return Deposit("image", source, files)


MAKERS: dict[str, Callable[[Path, int], Deposit]] = {
    "folder": _folder,
    "zip": _zip,
    "bag": _bag_folder,
    "tar": _tar,
    "broken": _broken,
    "image": _image,
}
KINDS = tuple(MAKERS)
