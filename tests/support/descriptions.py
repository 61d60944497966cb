"""Entries, events and strategies for the tests of METS, PREMIS and crosswalks; schemas without network."""

from pathlib import Path

from hypothesis import strategies as st
from lxml import etree

from packages.model import Agent, Event, FileEntry, Role

PACKAGE = "0d4ee2ff-6f3c-4e0a-9b43-5d9d5f3d6c11"
CREATED = "2026-11-21T10:00:00.000000Z"

# Everything UTF-8 can hold: what reception lets through as a name.
names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)
# What XML 1.0 can hold.
xml_text = st.text(
    st.characters(
        exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff", include_characters="\t\n\r"
    ),
    min_size=1,
    max_size=40,
)
hexes = st.binary(min_size=64, max_size=64).map(bytes.hex)
values = st.one_of(
    st.none(), st.booleans(), st.integers(), names, st.floats(allow_nan=False, allow_infinity=False)
)


def entries() -> st.SearchStrategy[FileEntry]:
    return st.builds(
        FileEntry,
        path=names,
        location=st.just(""),
        size=st.integers(0, 2**62),
        sha512=hexes,
        crc32=st.integers(0, 2**32 - 1),
        role=st.sampled_from([Role.ORIGINAL, Role.PRESERVATION]),
        modified=st.sampled_from([None, "1969-07-20T20:17:40Z", "9999-12-31T23:59:59.999999Z"]),
        digests=st.dictionaries(st.sampled_from(["md5", "sha1", "sha256", "sha512"]), hexes),
        puid=st.sampled_from([None, "fmt/18", "x-fmt/111"]),
        format_name=st.none() | xml_text.filter(lambda text: text != "unknown"),
        format_version=st.none() | xml_text,
        mime=st.sampled_from([None, "text/plain", "image/png"]),
        basis=st.none() | xml_text,
        warning=st.none() | xml_text,
        properties=st.dictionaries(xml_text, values, max_size=4),
        derived_from=st.none() | names,
        packed_offset=st.none(),
    )


def packed_entries() -> st.SearchStrategy[FileEntry]:
    """Files that are members of one of three packs."""
    packs = st.integers(1, 3).map(lambda number: f"v1/content/data/packed/{number:04d}.zip")
    return st.tuples(entries(), packs, st.integers(0, 2**40)).map(
        lambda made: made[0]._replace(location=made[1], packed_offset=made[2])
    )


def events() -> st.SearchStrategy[Event]:
    agents = st.builds(
        Agent,
        name=xml_text,
        kind=st.sampled_from(["software", "person", "organization"]),
        version=st.none() | xml_text,
    )
    return st.builds(
        Event,
        id=st.uuids().map(str),
        type=st.sampled_from(["fixity check", "publication", "virus check"]),
        at=st.just(CREATED),
        outcome=st.sampled_from(["success", "warning", "failure"]),
        detail=st.just("") | xml_text,
        agents=st.lists(agents, max_size=3, unique=True).map(tuple),
        step=st.just("") | xml_text,
        note=st.just("") | xml_text,
        paths=st.lists(names, max_size=3).map(tuple),
    )


def entry(path: str, **more: object) -> FileEntry:
    fields: dict[str, object] = {"location": "", "size": 3, "sha512": "ab" * 64, "crc32": 7, **more}
    return FileEntry(path=path, **fields)


def schema(shared: Path, name: str) -> etree.XMLSchema:
    """Load an XSD of ../shared; what it imports lies beside it, and the network is off."""
    parser = etree.XMLParser(no_network=True)
    return etree.XMLSchema(etree.parse(shared / "xsd" / name, parser))


def mets_with_premis(shared: Path) -> etree.XMLSchema:
    """METS and PREMIS together: the ``xsi:type`` of a wrapped PREMIS object resolves in no other way."""
    folder = shared.resolve().as_uri() + "/xsd/"
    driver = (
        '<schema xmlns="http://www.w3.org/2001/XMLSchema">'
        f'<import namespace="http://www.loc.gov/METS/" schemaLocation="{folder}mets-1.12.1.xsd"/>'
        f'<import namespace="http://www.loc.gov/premis/v3" schemaLocation="{folder}premis-v3-0.xsd"/>'
        "</schema>"
    )
    return etree.XMLSchema(etree.fromstring(driver, etree.XMLParser(no_network=True)))
