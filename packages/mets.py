"""METS 1.12.1: the small root document of an AIP and its per-file parts, written as streams.

``metadata/mets.xml`` points (mdRef, mptr) to ``metadata/files/vN-NNNN.xml``; each part describes at most
`PART_LIMIT` files with their PREMIS objects. A part is written only when files change, so mending a title
rewrites a few KB. Every document depends on its arguments alone: a repeated step writes the same bytes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from packages.crosswalks.dublin_core import DC, elements
from packages.mix import is_image, mix_of
from packages.model import FileEntry, Role
from packages.packing import LISTS, pack_of
from packages.premis import file_object, package_urn
from packages.premis_rights import rights_statements
from packages.record import RECORD_NAME
from packages.xml_text import XSI, Sink, escape, href, write_pieces

NAMESPACE = "http://www.loc.gov/METS/"
XLINK = "http://www.w3.org/1999/xlink"
ROOT_NAME = "metadata/mets.xml"
PART_LIMIT = 50_000
SOURCES = 1000
"""Files of the depositor's beside the payload that the root document refers to; the parts describe all."""
SUBMITTED = "metadata/submission/"
AGENT = "Holdfast"
_UNPACKED = (
    '<transformFile TRANSFORMTYPE="decompression" TRANSFORMALGORITHM="ZIP (stored)" TRANSFORMORDER="1"/>'
)


def part_name(version: int, part: int) -> str:
    """Return where part `part` (from 1) of a version's file descriptions lies in the AIP's bag."""
    return f"metadata/files/v{version}-{part:04d}.xml"


def write_files_mets(
    stream: Sink, package_id: str, version: int, part: int, entries: Iterable[FileEntry], *, created: str
) -> None:
    """Write one part: a PREMIS object, a place and a digest for each of `entries`, grouped by role.

    `entries` bear paths inside the AIP's bag; `created` is an RFC 3339 time. At most `PART_LIMIT` entries:
    METS wants the file section after all metadata sections, and it is kept in memory until then (about 25 MB
    for a full part). More raise ValueError. Links are relative to the part's own place in the bag.

    A packed file stands inside the ``file`` of its pack: BEGIN and SIZE tell where its bytes are, its FLocat
    what it is called in the ZIP.
    """
    label = f"{package_id} v{version} files {part}"
    write_pieces(stream, _part(package_urn(package_id), part_name(version, part), label, created, entries))


def _part(urn: str, name: str, label: str, created: str, entries: Iterable[FileEntry]) -> Iterator[str]:
    groups: dict[Role, list[str]] = {}
    packs = _Packs()
    up = "../" * name.count("/")
    yield _head(urn, "AIP part", created, label)
    yield '<amdSec ID="files">\n'
    for number, entry in enumerate(entries, 1):
        if number > PART_LIMIT:
            raise ValueError(f"a part holds at most {PART_LIMIT} files")
        path = href(entry.path)
        yield (
            f'<techMD ID="t{number}"><mdWrap MDTYPE="PREMIS:OBJECT"><xmlData>'
            f"{file_object(entry, urn, path)}</xmlData></mdWrap></techMD>\n"
        )
        if is_image(entry):
            yield _wrapped("techMD", f"m{number}", "NISOIMG", mix_of(entry))
        if entry.packed_offset is not None or entry.role is Role.PACK:
            packs.add(entry, number, path)
        else:
            groups.setdefault(entry.role, []).append(_file(entry, number, up + path))
    if packs.members:
        groups[Role.PACK] = packs.files(up)
    yield "</amdSec>\n"
    roles = sorted(groups)
    if groups:
        yield "<fileSec>\n"
        for role in roles:
            yield f'<fileGrp ID="{role}" USE="{role}">\n'
            yield from groups[role]
            yield "</fileGrp>\n"
        yield "</fileSec>\n"
    yield '<structMap TYPE="PHYSICAL"><div LABEL="files">\n'
    for role in roles:
        yield f'<div LABEL="{role}"><fptr FILEID="{role}"/></div>\n'
    yield "</div></structMap>\n</mets>\n"


def write_root_mets(
    stream: Sink,
    package_id: str,
    version: int,
    *,
    created: str,
    record: Mapping[str, Any],
    identifiers: Sequence[str] = (),
    documents: Iterable[FileEntry],
    directories: Iterable[str] = (),
) -> None:
    """Write ``metadata/mets.xml``: what the package is (Dublin Core), and where all descriptions lie.

    `documents` are the metadata files that this version's bag holds (record, parts, events, receipt,
    submission), with size and digest; each is referenced by its kind: ``metadata/files/…`` by mptr, events as
    PREMIS, the record as descriptive metadata, anything else as source metadata; of ``metadata/submission/``
    the first `SOURCES` by path, so that the document stays small. `directories` are the
    empty directories of the submission, kept as divisions whose CONTENTIDS lose nothing.
    """
    named = [package_urn(package_id), *identifiers]
    by_path = _bounded(documents)
    write_pieces(stream, _root(named, version, created, record, by_path, directories))


def _bounded(documents: Iterable[FileEntry]) -> list[FileEntry]:
    """Return what the root document refers to, by path; holds no more than twice as many."""
    own: list[FileEntry] = []
    theirs: list[FileEntry] = []
    for each in documents:
        (theirs if each.path.startswith(SUBMITTED) else own).append(each)
        if len(theirs) == 2 * SOURCES:
            theirs = sorted(theirs, key=_path)[:SOURCES]
    return sorted([*own, *sorted(theirs, key=_path)[:SOURCES]], key=_path)


def _path(entry: FileEntry) -> str:
    return entry.path


def _root(
    identifiers: Sequence[str],
    version: int,
    created: str,
    record: Mapping[str, Any],
    documents: Sequence[FileEntry],
    directories: Iterable[str],
) -> Iterator[str]:
    urn = identifiers[0]
    title = str(record.get("title", ""))
    yield _head(urn, "AIP", created, f"{title} (version {version})")
    yield _dublin_core(record, identifiers)
    rights = list(rights_statements(record, urn, created))
    yield from _references(documents, rights)
    by = " ".join(f"rights{number}" for number in range(1, len(rights) + 1))
    yield f'<structMap TYPE="LOGICAL"><div LABEL="{escape(title)}" DMDID="dc" ADMID="{by}">\n'
    for each in documents:
        if each.path.startswith("metadata/files/"):
            link = _relative(each.path)
            yield f'<div LABEL="files"><mptr LOCTYPE="URL" xlink:href="{link}"/></div>\n'
    for directory in directories:
        address = href(f"data/original/{directory.strip('/')}/")
        yield f'<div TYPE="empty directory" CONTENTIDS="{urn}#{address}"/>\n'
    yield "</div></structMap>\n"
    yield from _physical(urn, documents)
    yield "</mets>\n"


def _physical(urn: str, documents: Iterable[FileEntry]) -> Iterator[str]:
    """Yield the bag as it lies there: each description of files by its place in it."""
    yield f'<structMap TYPE="PHYSICAL"><div TYPE="bag" LABEL="{escape(urn)}">\n'
    for each in documents:
        if each.path.startswith("metadata/files/"):
            link = _relative(each.path)
            yield f'<div LABEL="{escape(each.path)}"><mptr LOCTYPE="URL" xlink:href="{link}"/></div>\n'
    yield "</div></structMap>\n"


def _references(documents: Sequence[FileEntry], rights: Iterable[str]) -> Iterator[str]:
    """Yield `rights` and what refers to `documents`: descriptive, source, provenance, in METS's order."""
    records = [each for each in documents if each.path == RECORD_NAME]
    events = [each for each in documents if each.path.startswith("metadata/premis/")]
    apart = {ROOT_NAME, *(each.path for each in (*records, *events))}
    others = (
        each for each in documents if each.path not in apart and not each.path.startswith("metadata/files/")
    )
    for number, each in enumerate(records, 1):
        yield f'<dmdSec ID="record{number}">{_reference(each, "OTHER", "Holdfast record")}</dmdSec>\n'
    yield '<amdSec ID="administration">\n'
    for number, statement in enumerate(rights, 1):
        yield _wrapped("rightsMD", f"rights{number}", "PREMIS:RIGHTS", statement)
    for number, each in enumerate(others, 1):
        other = "digests of packed files" if each.path.startswith(LISTS) else "submission"
        yield f'<sourceMD ID="source{number}">{_reference(each, "OTHER", other)}</sourceMD>\n'
    for number, each in enumerate(events, 1):
        yield f'<digiprovMD ID="events{number}">{_reference(each, "PREMIS:EVENT")}</digiprovMD>\n'
    yield "</amdSec>\n"


def _head(urn: str, kind: str, created: str, label: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<mets xmlns="{NAMESPACE}" xmlns:xlink="{XLINK}" xmlns:xsi="{XSI}"'
        f' OBJID="{escape(urn)}" TYPE="{kind}"'
        f' LABEL="{escape(label)}">\n<metsHdr CREATEDATE="{escape(created)}"><agent ROLE="CREATOR"'
        f' TYPE="OTHER" OTHERTYPE="SOFTWARE"><name>{AGENT}</name></agent></metsHdr>\n'
    )


class _Packs:
    """The packs that a part speaks of, each with those of its members that are in the part."""

    def __init__(self) -> None:
        self.members: dict[str, list[str]] = {}
        self._heads: dict[str, str] = {}

    def add(self, entry: FileEntry, number: int, link: str) -> None:
        """Take a pack, or a member of one, whose link from the bag's top is `link`."""
        if entry.packed_offset is None:
            self._heads[entry.path] = _told(entry, number)
            self.members.setdefault(entry.path, [])
            return
        self.members.setdefault(pack_of(entry), []).append(
            f'<file{_told(entry, number)} USE="{entry.role}" BEGIN="{entry.packed_offset}" BETYPE="BYTE">'
            f'<FLocat LOCTYPE="OTHER" OTHERLOCTYPE="ZIP member" xlink:href="{link}"/></file>\n'
        )

    def files(self, up: str) -> list[str]:
        """Return the packs as files with their members inside; `up` leads to the bag's top."""
        made = []
        for number, (pack, members) in enumerate(self.members.items(), 1):
            told, inside = self._heads.get(pack, f' ID="p{number}"'), "".join(members)
            place = f'<FLocat LOCTYPE="URL" xlink:href="{up}{href(pack)}"/>{_UNPACKED}'
            made.append(f"<file{told}>{place}\n{inside}</file>\n")
        return made


def _file(entry: FileEntry, number: int, link: str) -> str:
    return f'<file{_told(entry, number)}><FLocat LOCTYPE="URL" xlink:href="{link}"/></file>\n'


def _told(entry: FileEntry, number: int) -> str:
    more = f" m{number}" if is_image(entry) else ""
    mime = f' MIMETYPE="{escape(entry.mime)}"' if entry.mime else ""
    return (
        f' ID="f{number}" ADMID="t{number}{more}"{mime} SIZE="{entry.size}" CHECKSUM="{entry.sha512}"'
        ' CHECKSUMTYPE="SHA-512"'
    )


def _wrapped(section: str, name: str, kind: str, inner: str) -> str:
    return f'<{section} ID="{name}"><mdWrap MDTYPE="{kind}"><xmlData>{inner}</xmlData></mdWrap></{section}>\n'


def _relative(path: str) -> str:
    """Return the link from the root document (in ``metadata/``) to `path` in the same bag."""
    home = PurePosixPath(ROOT_NAME).parent.as_posix() + "/"
    return href(path.removeprefix(home)) if path.startswith(home) else "../" + href(path)


def _reference(entry: FileEntry, kind: str, other: str = "") -> str:
    more = f' OTHERMDTYPE="{other}"' if other else ""
    mime = f' MIMETYPE="{escape(entry.mime)}"' if entry.mime else ""
    return (
        f'<mdRef LOCTYPE="URL" xlink:href="{_relative(entry.path)}" MDTYPE="{kind}"{more}{mime}'
        f' SIZE="{entry.size}" CHECKSUM="{entry.sha512}" CHECKSUMTYPE="SHA-512"/>'
    )


def _dublin_core(record: Mapping[str, Any], identifiers: Sequence[str]) -> str:
    listed = "".join(
        f"<dc:{name}>{escape(value)}</dc:{name}>" for name, value in elements(record, identifiers)
    )
    return (
        f'<dmdSec ID="dc"><mdWrap MDTYPE="DC"><xmlData xmlns:dc="{DC}">{listed}</xmlData></mdWrap></dmdSec>\n'
    )
