"""Small files that keep to their formats, made by hand, and what becomes of them when they are cut."""

import io
import wave
import zipfile
from pathlib import Path

import pikepdf
from PIL import Image

XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
<pdfaid:part>{part}</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def pdfa(part: int = 2, *, transparent: bool = False) -> bytes:
    """Return a PDF/A of the part, level b: one empty page. With transparency, part 1 forbids it."""
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(100, 100))
    if transparent:
        state = pdf.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.ExtGState, ca=0.5))
        page.Resources = pikepdf.Dictionary(ExtGState=pikepdf.Dictionary(G=state))
        page.Contents = pdf.make_stream(b"/G gs")
    xmp = pdf.make_stream(XMP.format(part=part).encode())
    xmp.Type, xmp.Subtype = pikepdf.Name.Metadata, pikepdf.Name.XML
    pdf.Root.Metadata = xmp
    target = io.BytesIO()
    pdf.save(
        target,
        force_version="1.4" if part == 1 else "1.7",
        object_stream_mode=pikepdf.ObjectStreamMode.disable,
        compress_streams=False,
    )
    return target.getvalue()


def image(kind: str) -> bytes:
    """Return an image of Pillow's format `kind` whose data fill most of the file."""
    target = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(target, kind)
    return target.getvalue()


def sound() -> bytes:
    """Return one second of a WAVE file."""
    target = io.BytesIO()
    with wave.open(target, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(b"\0\1" * 8000)
    return target.getvalue()


def epub(*, title: str = "<dc:title>A</dc:title>") -> bytes:
    """Return an EPUB 3; without its title it is not valid."""
    parts = {
        "META-INF/container.xml": '<container version="1.0" '
        'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="a.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        "a.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="i">urn:x:1</dc:identifier>'
        f'{title}<dc:language>en</dc:language><meta property="dcterms:modified">2020-01-01T00:00:00Z</meta>'
        '</metadata><manifest><item id="n" href="n.xhtml" media-type="application/xhtml+xml" '
        'properties="nav"/></manifest><spine><itemref idref="n"/></spine></package>',
        "n.xhtml": '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">'
        '<head><title>A</title></head><body><nav epub:type="toc"><ol><li><a href="n.xhtml">A</a></li></ol>'
        "</nav></body></html>",
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        for name, content in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>\n' + content)
    return target.getvalue()


def half(data: bytes) -> bytes:
    """Return the first half, as of a transfer that broke off."""
    return data[: len(data) // 2]


def laid(folder: Path, **contents: bytes) -> Path:
    """Write files to `folder`; the last underscore of a name is the dot before its suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_bytes(content)
    return folder
