"""The data: a realistic mix of small files, random bytes, and one large file; the same at every run.

No two files are alike, so that nothing is saved by storing equal bytes once.
"""

import hashlib
import io
import json
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

SEED = 1788  # any number; it makes the data the same everywhere
SIZE = 8192
PER_FOLDER = 250
MIB = 1 << 20
IMAGES = 48  # how many different pictures there are; each file of them bears its own comment

WORDS = """
harbour keeper lantern ledger tide wreck signal pilot storm anchor buoy chart compass cargo crew deck fathom
gale hull island journal knot latitude mast north oar passage quay reef sail tonnage vessel watch yard archive
box copy deed estate folio grant heir index letter map notice office petition register seal treaty volume
""".split()  # noqa: SIM905  # 60 words in quotes read worse


def make_mix(folder: Path, count: int, first: int = 0) -> None:
    """Write `count` files of about 8 KiB into `folder`: text, JSON, XML, PNG, JPEG and PDF in turn.

    They are numbered from `first`; another number makes other files.
    """
    random_source = random.Random(SEED + first)
    pictures = [_picture(random_source) for _ in range(IMAGES)]
    kinds: list[tuple[str, Callable[[int, random.Random], bytes]]] = [
        ("txt", _text),
        ("json", _json),
        ("xml", _xml),
        ("png", lambda number, _: _png(pictures[number % IMAGES][0], number)),
        ("jpg", lambda number, _: _jpeg(pictures[number % IMAGES][1], number)),
        ("pdf", _pdf),
    ]
    for number in range(count):
        suffix, make = kinds[number % len(kinds)]
        _place(folder, number, suffix).write_bytes(make(first + number, random_source))


def make_random(folder: Path, count: int) -> None:
    """Write `count` files of 8 KiB of random bytes into `folder`."""
    random_source = random.Random(SEED)
    for number in range(count):
        _place(folder, number, "dat").write_bytes(random_source.randbytes(SIZE))


def make_large(file: Path, size: int) -> None:
    """Write one file of `size` random bytes."""
    random_source = random.Random(SEED)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        for start in range(0, size, MIB):
            stream.write(random_source.randbytes(min(MIB, size - start)))


def _place(folder: Path, number: int, suffix: str) -> Path:
    inner = folder / f"box-{number // PER_FOLDER:04d}"
    if number % PER_FOLDER == 0:
        inner.mkdir(parents=True)
    return inner / f"item-{number:06d}.{suffix}"


def _prose(random_source: random.Random, size: int) -> str:
    lines = []
    while size > 0:
        lines.append(" ".join(random_source.choices(WORDS, k=12)).capitalize() + ".")
        size -= len(lines[-1]) + 1
    return "\n".join(lines)


def _text(number: int, random_source: random.Random) -> bytes:
    return f"Letter {number}\n\n{_prose(random_source, SIZE)}\n".encode()


def _json(number: int, random_source: random.Random) -> bytes:
    rows = [
        {"id": number * 100 + row, "name": random_source.choice(WORDS), "depth": random_source.random() * 40}
        for row in range(107)
    ]
    return json.dumps({"series": number, "rows": rows}, indent=1).encode()


def _xml(number: int, random_source: random.Random) -> bytes:
    lines = _prose(random_source, SIZE - 2000).splitlines()
    body = "\n".join(f'  <p n="{at}">{line}</p>' for at, line in enumerate(lines))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<doc id="d{number}">\n{body}\n</doc>\n'.encode()


def _picture(random_source: random.Random) -> tuple[bytes, bytes]:
    """Return one picture as PNG and another as JPEG, each of about 8 KiB."""
    png, jpeg = io.BytesIO(), io.BytesIO()
    Image.frombytes("RGB", (52, 52), random_source.randbytes(52 * 52 * 3)).save(png, "PNG")
    noise = Image.frombytes("RGB", (16, 12), random_source.randbytes(16 * 12 * 3))
    grain = Image.frombytes("RGB", (320, 240), random_source.randbytes(320 * 240 * 3))
    Image.blend(noise.resize((320, 240)), grain, 0.09).save(jpeg, "JPEG", quality=50)
    return png.getvalue(), jpeg.getvalue()


def _png(picture: bytes, number: int) -> bytes:
    """Give the PNG a text chunk of its own, before its end chunk of 12 bytes."""
    chunk = b"tEXtComment\0" + f"plate {number}".encode()
    framed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return picture[:-12] + framed + picture[-12:]


def _jpeg(picture: bytes, number: int) -> bytes:
    """Give the JPEG a comment of its own, after its application segment."""
    after = 4 + struct.unpack(">H", picture[4:6])[0]
    comment = f"plate {number}".encode()
    return picture[:after] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + picture[after:]


def _pdf(number: int, random_source: random.Random) -> bytes:
    """Return a PDF 1.4 of one page of text."""
    lines = _prose(random_source, SIZE - 1400).splitlines()
    shown = "\n".join(f"({line}) Tj T*" for line in lines)
    page = f"BT /F1 7 Tf 40 800 Td 8 TL\n{shown}\nET".encode()
    identity = hashlib.md5(f"{number}".encode(), usedforsecurity=False).hexdigest()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 7 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Title (Item {number}) /Producer (benchmarks) >>".encode(),
        b"<< /Font << /F1 5 0 R >> >>",
    ]
    written = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for at, each in enumerate(objects, 1):
        offsets.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (at, each)
    table = b"".join(b"%010d 00000 n \n" % each for each in offsets)
    end = f"trailer\n<< /Size 8 /Root 1 0 R /Info 6 0 R /ID [<{identity}> <{identity}>] >>\n"
    return (
        written
        + b"xref\n0 8\n0000000000 65535 f \n"
        + table
        + end.encode()
        + f"startxref\n{len(written)}\n%%EOF\n".encode()
    )
