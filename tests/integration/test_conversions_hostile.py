"""Hostile files at the converters: what our own arguments keep from happening, without the kernel's help.

The programs run here as they are, not confined: what stays undone is left undone by what we tell them.
`tests/integration/test_hostile_converters.py` tries the confinement itself.
"""

import email
import email.policy
import os
import shutil
import socket
import subprocess
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from packages.format_policy import Kind, Outcome, default_policy
from packages.model import NOTHING
from tests.support import outlook, specimens
from tools.normalise.adapters import adapter
from tools.normalise.ports import Converted
from tools.runs import Ended, Job, Ran

SECONDS = 120


@dataclass(frozen=True)
class Open:
    """A `Runner` that confines nothing."""

    folder: Path

    def run(
        self,
        command: Sequence[str | Path],
        jobs: Sequence[Job],
        *,
        environment: Mapping[str, str] = NOTHING,
        stdin: bytes = b"",
        readable: Iterable[Path] = (),
        sockets: Iterable[Path] = (),
    ) -> Ran:
        """Run it."""
        assert jobs
        _ = readable, sockets
        words = [str(word) for word in command]
        home = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp"), "LANG": "C.UTF-8"}
        done = subprocess.run(
            words,
            input=stdin,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **home, **environment},
        )
        said = (done.stdout + done.stderr).decode(errors="replace")
        return Ran(Ended.BY_ITSELF, done.returncode, " ".join(words), 0.0, said, done.stdout)


class Listener:
    """Listens on loopback and counts who comes."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self.visits: list[bytes] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    @property
    def address(self) -> str:
        """Return where it listens, as a URL."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                visitor, _ = self._socket.accept()
            except TimeoutError:
                continue
            with visitor:
                visitor.settimeout(2)
                self.visits.append(visitor.recv(1000))
                visitor.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")

    def close(self) -> None:
        """Listen no more."""
        self._over.set()
        self._thread.join()
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()
    yield one
    one.close()


def convert(tmp_path: Path, tool: str, *wanted: tuple[Path, str, Mapping[str, object]]) -> list[Converted]:
    found = adapter(tool)
    assert found is not None
    absent = [each for each in found.commands if shutil.which(each) is None]
    if absent:
        message = f"not installed: {', '.join(absent)}"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    folder = tmp_path / "private"
    for name in ("home", "tmp", "in", "out"):
        (folder / name).mkdir(parents=True)
    rule = next(each for each in default_policy().data["rules"] if "preservation" in each)
    model = next(
        iter(default_policy().actions({**rule, "preservation": PLAIN, "access": [], "thumbnail": []}))
    )
    jobs = []
    for number, (path, recipe, arguments) in enumerate(wanted, 1):
        source = folder / "in" / f"{number}{path.suffix}"
        shutil.copyfile(path, source)
        (made := folder / "made" / str(number)).mkdir(parents=True)
        action = replace(model, kind=Kind.ACCESS, tool=tool, recipe=recipe, arguments=arguments)
        jobs.append(Job(source, made, action, None, {}, source.stat().st_size, 1 << 28))
    done = {each.job.source: each for each in found.convert(jobs, Open(folder))}
    return [done[job.source] for job in jobs]


PLAIN = {"action": "make", "tool": "text", "recipe": "utf-8"}
MACRO = """<?xml version="1.0"?>
<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Module1"
 script:language="StarBasic">Sub Main
Open &quot;{path}&quot; For Output As #1
Print #1, &quot;x&quot;
Close #1
End Sub</script:module>"""
LIBRARY = """<?xml version="1.0"?>
<library:{kind} xmlns:library="http://openoffice.org/2000/library" {more}>{inside}</library:{kind}>"""
ON_LOAD = """<office:scripts><office:event-listeners><script:event-listener script:language="ooo:script"
 script:event-name="dom:load" xlink:type="simple"
 xlink:href="vnd.sun.star.script:Standard.Module1.Main?language=Basic&amp;location=document"/>
</office:event-listeners></office:scripts>"""


def with_macro(path: Path, writes: Path) -> Path:
    """Write a text document whose macro writes a file as soon as it is opened."""
    named = 'library:name="Standard" library:readonly="false" library:passwordprotected="false"'
    library = '<library:library library:name="Standard" library:link="false"/>'
    module = '<library:element library:name="Module1"/>'
    parts = {
        "Basic/script-lc.xml": LIBRARY.format(kind="libraries", more="", inside=library),
        "Basic/Standard/script-lb.xml": LIBRARY.format(kind="library", more=named, inside=module),
        "Basic/Standard/Module1.xml": MACRO.format(path=writes),
    }
    body = "<office:text><text:p>macro</text:p></office:text>"
    return specimens.odf(path, "text", body, more=parts, head=ON_LOAD)


@pytest.mark.slow
def test_libreoffice_runs_no_macro_and_fetches_nothing(tmp_path: Path, listener: Listener) -> None:
    written = tmp_path / "written-by-macro"
    rows: list[list[str | float]] = [[f'=WEBSERVICE("{listener.address}/cell")'], ["x"]]
    linked = specimens.docx(tmp_path / "linked.docx", fetch=listener.address)
    book = specimens.xlsx(tmp_path / "book.xlsx", {"a": rows})
    macro = with_macro(tmp_path / "macro.odt", written)
    part = {"part": 2}
    made = convert(
        tmp_path, "libreoffice", (linked, "pdfa", part), (book, "pdfa", part), (macro, "pdfa", part)
    )
    assert [each.outcome for each in made] == [Outcome.DONE] * 3, [each.message for each in made]
    assert listener.visits == []
    assert not written.exists()


def test_svg_fetches_nothing(tmp_path: Path, listener: Listener) -> None:
    path = tmp_path / "a.svg"
    far = f'<image xlink:href="{listener.address}/a.png" width="9" height="9"/>'
    style = f'<?xml-stylesheet href="{listener.address}/a.css"?>'
    entity = '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    path.write_text(
        f'<?xml version="1.0"?>{style}{entity}<svg {names} version="1.1" width="20" height="20">'
        f'<style>@import url("{listener.address}/b.css");</style>{far}<script>1</script><text>&x;</text>'
        "</svg>",
        "utf-8",
    )
    (made,) = convert(tmp_path, "rsvg", (path, "pdf", {}))
    assert listener.visits == []
    assert made.outcome in {Outcome.DONE, Outcome.FAILED}


def test_postscript_reads_and_writes_no_file(tmp_path: Path) -> None:
    written = tmp_path / "written"
    writes, reads = tmp_path / "w.ps", tmp_path / "r.ps"
    writes.write_text(f"%!PS-Adobe-3.0\n({written}) (w) file (x) writestring showpage\n", "ascii")
    reads.write_text("%!PS-Adobe-3.0\n(/etc/hostname) (r) file 99 string readline pop == showpage\n", "ascii")
    made = convert(tmp_path, "ghostscript", (writes, "pdfa", {"part": 2}), (reads, "pdfa", {"part": 2}))
    assert [each.outcome for each in made] == [Outcome.FAILED] * 2
    assert not written.exists()


def test_a_pdf_that_needs_a_password_is_no_empty_copy(tmp_path: Path) -> None:
    path, locked = tmp_path / "a.pdf", tmp_path / "locked.pdf"
    specimens.picture().save(path)
    with pikepdf.open(path) as pdf:
        pdf.save(locked, encryption=pikepdf.Encryption(owner="owner", user="user"))
    (made,) = convert(tmp_path, "ghostscript", (locked, "pdfa", {"part": 2}))
    assert (made.outcome, made.files) == (Outcome.FAILED, ())  # Ghostscript ends with status 0
    assert "password" in made.message


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {address}/a.mp4\n",
        "[Reference]\nRef1={address}/a.wmv\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{address}/</BaseURL></MPD>',
    ],
    ids=["hls", "concat", "asf-reference", "dash"],
)
def test_a_playlist_in_disguise_reaches_nothing(tmp_path: Path, listener: Listener, text: str) -> None:
    path = tmp_path / "a.avi"
    path.write_text(text.format(address=listener.address), "ascii")
    (made,) = convert(tmp_path, "ffmpeg", (path, "video-lossless", {"slices": 4}))
    assert made.outcome is Outcome.FAILED
    assert made.message
    assert listener.visits == []


def test_an_image_that_declares_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        whole = name + data
        return len(data).to_bytes(4, "big") + whole + zlib.crc32(whole).to_bytes(4, "big")

    side = (60_000).to_bytes(4, "big")
    path = tmp_path / "bomb.png"
    head = chunk(b"IHDR", side + side + bytes((8, 0, 0, 0, 0)))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )
    (made,) = convert(tmp_path, "vips", (path, "pyramid", {"compression": "jpeg", "quality": 90}))
    assert (made.outcome, made.files) == (Outcome.TOO_LARGE, ())
    assert "60000 x 60000 pixels" in made.message


def test_a_truncated_image_is_no_copy_with_a_grey_end(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.png", tmp_path / "a.png"
    specimens.picture().save(whole)
    path.write_bytes(whole.read_bytes()[:2000])
    (made,) = convert(tmp_path, "vips", (path, "lossless", {"format": "tif"}))
    assert made.outcome is Outcome.FAILED


def test_an_image_whose_description_denies_its_other_pages_loses_none(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    first, second = (Image.new("L", (64, 64), shade) for shade in (1, 2))
    said = {270: "a view\nn-pages: 1"}  # as libvips tells of an image with one page
    first.save(path, save_all=True, append_images=[second], tiffinfo=said)
    (made,) = convert(tmp_path, "vips", (path, "jpeg2000", {}))
    assert (made.outcome, made.message) == (Outcome.DIFFERS, "it has 2 pages; a JPEG 2000 has one")


def test_a_sent_message_gets_its_headers_from_its_properties(tmp_path: Path) -> None:
    (made,) = convert(tmp_path, "mail", (outlook.write_sent(tmp_path / "sent.msg"), "msg", {}))
    assert made.outcome is Outcome.DONE, made.message
    message = email.message_from_bytes(made.files[0].read_bytes(), policy=email.policy.default)
    assert {name: message[name] for name in ("From", "To", "Cc", "Date", "Subject")} == {
        "From": "Ada <ada@example.org>",
        "To": "Grace <grace@example.org>",
        "Cc": '"Edith, Dr" <edith@example.org>',
        "Date": "Mon, 01 Jan 2001 00:00:00 +0000",
        "Subject": "Tide",
    }


def test_outlook_messages_that_lie_are_outcomes(tmp_path: Path) -> None:
    empty = outlook.write_compound(tmp_path / "empty.msg", {"__properties_version1.0": bytes(32)})
    no_ole = tmp_path / "no.msg"
    no_ole.write_bytes(b"From: x\n")
    cut = tmp_path / "cut.msg"
    cut.write_bytes(empty.read_bytes()[:900])
    lies = tmp_path / "lies.emlx"
    lies.write_bytes(b"99999\nFrom: x\n")
    made = convert(
        tmp_path, "mail", (empty, "msg", {}), (no_ole, "msg", {}), (cut, "msg", {}), (lies, "emlx", {})
    )
    assert [each.outcome for each in made][1:] == [Outcome.FAILED] * 3
    assert "99999 bytes" in made[3].message


def test_text_whose_encoding_is_not_known_is_left_alone(tmp_path: Path) -> None:
    plain = {"latin.txt": "Grüße".encode("latin-1"), "odd.txt": b"\xff\xfea", "nul.txt": b"\xff\xfea\0\0\0"}
    for name, data in plain.items():
        (tmp_path / name).write_bytes(data)
    made = convert(tmp_path, "text", *((tmp_path / name, "utf-8", NOTHING) for name in plain))
    assert [each.outcome for each in made] == [Outcome.FAILED] * 3
    assert all(each.message and not each.files for each in made)
    again = tmp_path / "again"
    again.mkdir()
    (known,) = convert(again, "text", (tmp_path / "latin.txt", "utf-8", {"assume": "windows-1252"}))
    assert known.files[0].read_bytes() == "Grüße".encode()
