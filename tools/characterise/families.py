"""The families of formats, as data: which reader describes which MIME types, and what it needs.

A reader is a module with ``read(path) -> dict`` and ``tool() -> str`` (name and version), imported only when
a file of its family comes. Its ``FIELDS`` say what it may find, its ``BOUNDS`` how far it reads:
docs/technical-metadata.md is made from both.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from types import MappingProxyType

_ODF = "application/vnd.oasis.opendocument."
_OOXML = "application/vnd.openxmlformats-officedocument."


@dataclass(frozen=True, slots=True)
class Family:
    """A family: `beginnings` and `types` are the MIME types of its files; the first family that fits reads.

    `needs` is what must be installed beside Python itself: a module of Python, or a system library.
    """

    name: str
    module: str
    types: frozenset[str] = frozenset()
    beginnings: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    needs: str = ""

    def reads(self, mime: str) -> bool:
        """Tell whether files of this MIME type are of the family."""
        return mime in self.types or mime.startswith(self.beginnings) or mime.endswith(self.endings)


def _family(
    name: str, types: str = "", *, module: str = "", needs: str = "", starts: str = "", ends: str = ""
) -> Family:
    module = f"tools.characterise.{module or name}"
    return Family(name, module, frozenset(types.split()), tuple(starts.split()), tuple(ends.split()), needs)


FAMILIES = (
    _family("xml", "image/svg+xml application/xml text/xml application/gml+xml",
            module="xml_data", ends="+xml"),
    _family("json", "application/json application/x-ndjson application/jsonl application/manifest+json",
            module="json_data", ends="+json"),
    _family("table", "text/csv text/tab-separated-values"),
    _family("mail", "message/rfc822 application/mbox multipart/related"),
    _family("outlook", "application/vnd.ms-outlook", needs="olefile"),
    _family("media", "application/mp4 application/mxf application/ogg image/heic image/heif"
            " image/heic-sequence image/heif-sequence", starts="audio/ video/", needs="pymediainfo"),
    _family("image", starts="image/", needs="PIL"),
    _family("pdf", "application/pdf", needs="pikepdf"),
    _family("postscript", "application/postscript application/eps"),
    _family("ebook", "application/epub+zip", needs="lxml"),
    _family("office", starts=f"{_ODF} {_OOXML} application/vnd.ms-word. application/vnd.ms-excel.",
            needs="lxml"),
    _family("ole", "application/msword application/vnd.ms-excel application/vnd.ms-powerpoint"
            " application/vnd.visio", needs="olefile"),
    _family("warc", "application/warc"),
    _family("packed", "application/zip application/x-tar application/gzip application/x-gzip"
            " application/x-bzip2 application/x-xz application/zstd application/java-archive"),
    _family("seven_zip", "application/x-7z-compressed", needs="py7zr"),
    _family("database", "application/x-sqlite3 application/vnd.sqlite3 application/geopackage+sqlite3"
            " application/x-dbf application/dbase application/x-msaccess"),
    _family("text", "application/rtf", starts="text/"),
)  # fmt: skip  # a table
BY_NAME = MappingProxyType({each.name: each for each in FAMILIES})
MISSING = "tool missing: "
"""How the error of a file begins whose reader cannot be loaded here; the name of the tool follows."""
UNREAD = frozenset({
    "image/vnd.dwg", "image/vnd.dxf", "image/vnd.dgn", "image/vnd.dwf", "image/cgm", "image/x-cgm",
    "image/wmf", "image/x-wmf", "image/emf", "image/x-emf", "image/x-3ds", "image/vnd.djvu",
    "image/x-djvu", "image/pict", "image/x-pict", "image/x-xcf", "image/jxl", "image/jxr",
    "image/vnd.ms-photo", "image/x-wpg",
})  # fmt: skip  # a table
"""Types of images that no reader here describes: that is no fault of the file."""


@lru_cache(maxsize=1024)
def family_of(mime: str | None) -> str | None:
    """Return the name of the family that reads `mime`; None where no reader has anything to say."""
    if mime is None or mime in UNREAD:
        return None
    return next((each.name for each in FAMILIES if each.reads(mime)), None)


def missing() -> dict[str, tuple[str, ...]]:
    """Return what is not installed, and the families that go undescribed without it."""
    needs = {each.needs for each in FAMILIES if each.needs}
    return {
        need: tuple(each.name for each in FAMILIES if each.needs == need)
        for need in sorted(needs)
        if find_spec(need) is None
    }
