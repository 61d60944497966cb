"""A package's description in every form that readers and programs ask for, each made in one place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from packages.crosswalks.citation import citation
from packages.crosswalks.datacite import datacite_json, datacite_xml
from packages.crosswalks.dublin_core import dublin_core
from packages.crosswalks.erc import erc
from packages.crosswalks.json_ld import json_ld
from packages.crosswalks.marcxml import marcxml
from packages.model import ORIGINALS
from packages.premis import package_urn
from services.access.landing import Landing, Tombstone, mets
from services.archive import Archive

PROMISE = "kept in verified copies; the identifier always leads here, or to a notice of what became of it"
TEST_PROMISE = "a test identifier: nothing is promised"


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a description: how an address and a header name it, and what makes it.

    `general` is a broader media type under which it is given, too.
    """

    name: str
    media_type: str
    title: str
    render: Callable[[Archive, Landing], bytes]
    general: str = ""


def pid_address(archive: Archive, seen: Landing | Tombstone) -> str:
    """Return the address under which a package is cited: its identifier at our resolver, else its page."""
    package_id, pid = _named(seen)
    if pid is None:
        return archive.settings.record_address(package_id)
    scheme, _, rest = pid.partition(":")
    return f"{archive.settings.base_url}/{pid if scheme == 'ark' else f'{scheme}/{quote(rest)}'}"


def identifiers(seen: Landing) -> list[str]:
    """Return the identifiers of a package, that by which it is cited first."""
    package = seen.package
    return [each for each in (package.pid, package.oai_id, package_urn(package.id)) if each]


def citation_of(seen: Landing) -> str:
    """Return how a package is cited, as plain text on one line."""
    return citation(seen.record, identifiers(seen)[:1], year=_year(seen))


def schema_org(archive: Archive, seen: Landing) -> dict[str, Any]:
    """Return the description as schema.org says it, for search engines."""
    address = archive.settings.record_address(seen.package.id)
    return json_ld(seen.record, identifiers(seen), year=_year(seen), url=address)


def facts(archive: Archive, seen: Landing) -> dict[str, Any]:
    """Return the record and what the archive knows of the package, as JSON; nothing of who deposited it."""
    package, access = seen.package, seen.package.access
    return {
        "id": package.id,
        "pid": package.pid,
        "is_test_pid": archive.pids.is_test,
        "oai_id": package.oai_id,
        "title": package.title,
        "state": package.state,
        "version": seen.version,
        "created": package.created,
        "updated": package.updated,
        "url": archive.settings.record_address(package.id),
        "citation": citation_of(seen),
        "access": {
            "metadata": access.metadata,
            "files": access.files,
            "files_until": access.files_until,
            "files_open_to_you": seen.are_files_open,
        },
        "files": seen.files,
        "formats": [
            {"puid": each.puid, "name": each.name, "mime": each.mime, "files": each.files}
            for each in seen.formats
        ],
        "copies": {
            "intact": seen.kept.intact,
            "all": seen.kept.copies,
            "verified": seen.kept.verified,
        },
        "versions": [{"version": each.number, "created": each.created} for each in seen.versions],
        "record": seen.record,
    }


def about(archive: Archive, seen: Landing | Tombstone) -> str:
    """Return what an ARK answers to ``?info``: an electronic resource citation with what we promise."""
    is_gone = isinstance(seen, Tombstone)
    return erc(
        None if isinstance(seen, Tombstone) else seen.record,
        what=f"(:gone) {seen.title}" if isinstance(seen, Tombstone) else None,
        where=pid_address(archive, seen),
        promise=TEST_PROMISE if archive.pids.is_test else PROMISE,
        keeper=archive.settings.publisher or "(:unav) keeper not named",
        since=(seen.at if isinstance(seen, Tombstone) else seen.package.created)[:10] + (" (gone)" * is_gone),
    )


def file_address(seen: Landing, path: str) -> str:
    """Return the address of a deposited file by its own path, relative to the host."""
    return f"/api/packages/{seen.package.id}/files/{quote(ORIGINALS + path, safe='/')}"


def copy_address(seen: Landing, name: str) -> str:
    """Return the address of a copy for reading by its name within ``data/access/``, relative to the host."""
    return f"/api/packages/{seen.package.id}/files/{quote(f'data/access/{name}', safe='/')}"


def bundle_address(seen: Landing) -> str:
    """Return the address of the whole package for readers (DIP), relative to the host."""
    return f"/api/packages/{seen.package.id}/dip"


def thumbnail_address(seen: Landing, path: str) -> str:
    """Return the address of the small picture of a deposited file, relative to the host."""
    return f"/records/{seen.package.id}/thumbnails/{quote(path, safe='/')}"


def _json(archive: Archive, seen: Landing) -> bytes:
    return orjson.dumps(facts(archive, seen))


def _json_ld(archive: Archive, seen: Landing) -> bytes:
    return orjson.dumps(schema_org(archive, seen))


def _datacite_xml(archive: Archive, seen: Landing) -> bytes:
    del archive
    return datacite_xml(seen.record, identifiers(seen), year=_year(seen))


def _datacite_json(archive: Archive, seen: Landing) -> bytes:
    address = archive.settings.record_address(seen.package.id)
    return orjson.dumps(datacite_json(seen.record, identifiers(seen), year=_year(seen), url=address))


def _dublin_core(archive: Archive, seen: Landing) -> bytes:
    del archive
    return dublin_core(seen.record, identifiers(seen))


def _marcxml(archive: Archive, seen: Landing) -> bytes:
    address = archive.settings.record_address(seen.package.id)
    return marcxml(seen.record, identifiers(seen), year=_year(seen), url=address)


def _citation(archive: Archive, seen: Landing) -> bytes:
    del archive
    return (citation_of(seen) + "\n").encode()


FORMS: Mapping[str, Form] = {
    each.name: each
    for each in (
        Form("json", "application/json", "JSON", _json),
        Form("json-ld", "application/ld+json", "JSON-LD (schema.org)", _json_ld),
        Form("datacite", "application/vnd.datacite.datacite+xml", "DataCite XML", _datacite_xml),
        Form("datacite-json", "application/vnd.datacite.datacite+json", "DataCite JSON", _datacite_json),
        Form("dublin-core", "application/x-dc+xml", "Dublin Core", _dublin_core),
        Form("marcxml", "application/marcxml+xml", "MARCXML", _marcxml),
        Form("mets", "application/mets+xml", "METS", mets, general="application/xml"),
        Form("citation", "text/x-bibliography", "Citation", _citation),
    )
}
"""Every form but the page itself, in the order in which a client that likes all of them gets them."""
FORMS_BY_TYPE: Mapping[str, Form] = {
    **{each.media_type: each for each in FORMS.values()},
    **{each.general: each for each in FORMS.values() if each.general},
}
"""The same by media type, the broader ones last."""


def _named(seen: Landing | Tombstone) -> tuple[str, str | None]:
    if isinstance(seen, Tombstone):
        return seen.package_id, seen.pid
    return seen.package.id, seen.package.pid


def _year(seen: Landing) -> int:
    """Return the year in which the archive got it: it stands in for a year of publication."""
    return int(seen.package.created[:4])
