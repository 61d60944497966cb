"""FAIR Signposting (level 1): typed links of a landing page, for machines that read no HTML."""

from collections.abc import Iterator

from packages.links import orcid_link, web_link
from services.access.forms import FORMS, bundle_address, file_address, pid_address, schema_org
from services.access.landing import FilePage, Landing
from services.archive import Archive

SCHEMA_ORG = "https://schema.org/"
MOST_ITEMS = 20
"""Files that are linked one by one; of more, the package as a whole is the only item."""
LONGEST_ITEMS = 4096
"""Characters that those links may have together: servers and proxies refuse heads that are too long."""
LONGEST_ADDRESS = 1024
"""Characters of an address that somebody wrote into a record."""


def links_of(archive: Archive, seen: Landing, page: FilePage | None) -> str:
    """Return the Link header (RFC 8288) of a landing page; `page` are its files, None where none are linked.

    Every address is percent-encoded: nothing that a depositor wrote can end a link or begin another.
    """
    return ", ".join(_links(archive, seen, page))


def _links(archive: Archive, seen: Landing, page: FilePage | None) -> Iterator[str]:
    here = f"/records/{seen.package.id}"
    yield _link(pid_address(archive, seen), "cite-as")
    yield _link(f"{SCHEMA_ORG}AboutPage", "type")
    yield _link(f"{SCHEMA_ORG}{schema_org(archive, seen)['@type']}", "type")
    for form in FORMS.values():
        yield _link(f"{here}?format={form.name}", "describedby", form.media_type)
    for person in seen.record.get("creators", ())[:MOST_ITEMS]:
        if address := orcid_link(person):
            yield _link(address, "author")
    for right in seen.record.get("rights", ())[:MOST_ITEMS]:
        address = web_link(right.get("rightsUri", ""))
        if address and len(address) <= LONGEST_ADDRESS:
            yield _link(address, "license")
    if seen.are_files_open and page is not None:
        items: list[str] = []
        if page.next is None and len(page.files) <= MOST_ITEMS:
            items = [
                _link(file_address(seen, each.path), "item", each.entry.mime or "") for each in page.files
            ]
        if not items or sum(map(len, items)) > LONGEST_ITEMS:
            items = [_link(bundle_address(seen), "item", "application/zip")]
        yield from items


def _link(address: str, relation: str, media_type: str = "") -> str:
    typed = f'; type="{media_type}"' if media_type and media_type.isascii() and '"' not in media_type else ""
    return f'<{address}>; rel="{relation}"{typed}'
