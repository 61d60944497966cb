"""Formats that no corpus at hand has are found by their PUIDs: 3D, databases, mail, archives, data."""

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import struct
import tarfile
import zipfile
from collections.abc import Iterator

import py7zr
import pytest

from tools.ports import Identification
from tools.pronom import PronomIdentifier, findings_for

MAIL = (
    b"From: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\nDate: Mon, 01 Jan 2024 10:00:00 +0000\r\n"
    b"Message-ID: <1@x>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
)
WARC = (
    b"WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Date: 2024-01-01T00:00:00Z\r\nContent-Length: 0\r\n\r\n\r\n\r\n"
)
STEP = b"ISO-10303-21;\nHEADER;\nFILE_DESCRIPTION((''),'2;1');\nFILE_SCHEMA((%s));\nENDSEC;\nDATA;\n"
STL = b"solid x\n facet normal 0 0 1\n  outer loop\n   vertex 0 0 0\n  endloop\n endfacet\nendsolid x\n"
GLTF = json.dumps({"asset": {"version": "2.0"}}).encode().ljust(28)
COLLADA = (
    b'<?xml version="1.0" encoding="utf-8"?>\n'
    b'<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">\n</COLLADA>'
)
DBASE = (
    struct.pack("<BBBBIHH20x", 3, 124, 1, 1, 1, 65, 11) + b"NAME".ljust(11, b"\0") + b"C" + bytes(4) + b"\x0a"
)


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return buffer.getvalue()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"x")
    return buffer.getvalue()


def _seven_zip() -> bytes:
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w") as archive:
        archive.writestr(b"x", "a")
    return buffer.getvalue()


def _sqlite() -> bytes:
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE t(a)")
        data = database.serialize()
    database.close()
    return data


FILES: dict[str, tuple[str | None, str, bytes]] = {
    # 3D
    "a.stl": ("x-fmt/108", "text/plain", STL),
    "a.ply": ("fmt/831", "text/plain", b"ply\nformat ascii 1.0\nelement vertex 1\nend_header\n0\n"),
    "a.glb": (
        "fmt/1316",
        "model/gltf-binary",
        b"glTF" + struct.pack("<IIII", 2, 48, 28, 0x4E4F534A) + GLTF,
    ),
    "a.gltf": ("fmt/1315", "application/json", b'{"asset":{"version":"2.0"},"scenes":[]}'),
    "a.dae": ("fmt/1209", "model/vnd.collada+xml", COLLADA),
    "a.wrl": ("fmt/94", "model/vrml", b"#VRML V2.0 utf8\nShape{}\n"),
    "a.e57": ("fmt/643", "model/e57", b"ASTM-E57" + struct.pack("<II", 1, 0) + bytes(100)),
    "a.las": ("fmt/370", "application/octet-stream", b"LASF" + bytes(20) + b"\1\2" + bytes(300)),
    "a.fbx": ("fmt/1009", "application/octet-stream", b"Kaydara FBX Binary  \0\x1a\0" + bytes(60)),
    "a.blend": ("fmt/903", "application/x-blender", b"BLENDER-v279" + bytes(50)),
    "a.stp": ("fmt/698", "text/plain", STEP % b"'AUTOMOTIVE_DESIGN'"),
    "a.ifc": ("fmt/699", "text/plain", STEP % b"'IFC2X3'"),
    "a.u3d": ("fmt/702", "application/octet-stream", b"U3D\0" + bytes(60)),
    "a.dxf": (
        "fmt/78",
        "image/vnd.dxf",
        b"  0\nSECTION\n  2\nHEADER\n  9\n$ACADVER\n  1\nAC1015\n  0\nENDSEC\n  0\nEOF\n",
    ),
    "a.dwg": ("fmt/35", "image/vnd.dwg", b"AC1015" + bytes(110)),
    # databases and statistics; Access is in the corpus
    "a.sqlite": ("fmt/729", "application/x-sqlite3", _sqlite()),
    "a.dbf": ("x-fmt/9", "application/x-dbf", DBASE + bytes(15) + b"\r " + b"x".ljust(10) + b"\x1a"),
    "a.sav": ("fmt/638", "text/plain", b"$FL2@(#) SPSS DATA FILE" + bytes(200)),
    "a.parquet": ("fmt/2023", "application/octet-stream", b"PAR1" + bytes(20) + b"PAR1"),
    "a.h5": ("fmt/807", "application/x-hdf5", b"\x89HDF\r\n\x1a\n" + bytes(100)),
    # mail, web archives, archives
    "a.eml": ("fmt/950", "message/rfc822", MAIL),
    "a.mbox": (
        "fmt/720",
        "application/mbox",
        b"From a@b Mon Jan  1 10:00:00 2024\n" + MAIL.replace(b"\r", b""),
    ),
    "a.warc": ("fmt/1355", "application/warc", WARC),
    "a.warc.gz": ("x-fmt/266", "application/gzip", gzip.compress(WARC)),
    "a.tar": ("x-fmt/265", "application/x-tar", _tar()),
    "a.tar.bz2": ("x-fmt/268", "application/x-bzip2", bz2.compress(_tar())),
    "a.tar.xz": ("fmt/1098", "application/x-xz", lzma.compress(_tar())),
    "a.zip": ("x-fmt/263", "application/zip", _zip()),
    "a.7z": ("fmt/484", "application/x-7z-compressed", _seven_zip()),
    # data, by their extensions where there is no signature
    "a.csv": ("x-fmt/18", "text/csv", b"a,b\n1,2\n"),
    "a.tsv": ("x-fmt/13", "text/tab-separated-values", b"a\tb\n1\t2\n"),
    "a.json": ("fmt/817", "application/json", b'{"a":1}'),
    "a.geojson": ("fmt/1367", "application/geo+json", b'{"type":"FeatureCollection","features":[]}'),
    "a.jsonl": ("fmt/2054", "application/x-ndjson", b'{"a":1}\n{"a":2}\n'),
    "a.xml": ("fmt/101", "application/xml", b'<?xml version="1.0"?><a/>'),
    "a.rdf": (
        "fmt/875",
        "application/rdf+xml",
        b'<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>',
    ),
    # what cannot be told is unknown, and gets a MIME type all the same
    "a.obj": (None, "text/plain", b"v 0 0 0\nf 1 1 1\n"),
    "a.svg": (None, "image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
}


@pytest.fixture(scope="module")
def identified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Identification]]:
    folder = tmp_path_factory.mktemp("families")
    for name, (_, _, data) in FILES.items():
        (folder / name).write_bytes(data)
    with PronomIdentifier() as identifier:
        identifier.let_read(folder)
        found = identifier.identify([folder / name for name in FILES])
        yield dict(zip(FILES, found, strict=True))


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_format_is_found(identified: dict[str, Identification], name: str) -> None:
    puid, mime, _ = FILES[name]
    assert (identified[name].puid, identified[name].mime) == (puid, mime)
    expected = [] if puid else ["format.unknown"]
    assert [each.code for each in findings_for(name, identified[name], 1)] == expected
