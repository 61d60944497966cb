"""OAI-PMH through the application: every answer valid, every error by its code (EDGE_CASES, group M)."""

import json
import logging
import tracemalloc
from pathlib import Path

import pytest
from lxml import etree

from packages.ledger import PackageState
from packages.model import Access, Openness
from services.access import harvesting
from services.administration.holding import withdraw
from services.data_management.rebuild import rebuild_catalogue
from tests.support.catalogues import make_package
from tests.support.depositor import depositor_of
from tests.support.depositor import put as put_files
from tests.support.harvest import NS, Harvester, fill, headers_of, put, tokens
from tests.support.serving import client_of

pytestmark = pytest.mark.shared


@pytest.mark.parametrize("count", [1, 9, 10, 11, 20, 30, 31])
def test_M1_an_empty_token_ends_a_list_that_came_in_parts(harvester: Harvester, count: int) -> None:
    expected = fill(harvester, count)
    for verb in ("ListRecords", "ListIdentifiers"):
        harvester.answers.clear()
        assert harvester.listed(verb) == expected
        found = tokens(harvester)
        assert len(found) == (count + 9) // 10
        assert all(found[:-1])
        assert found[-1] == (None if count <= 10 else "")


def test_M1_nothing_at_all_is_an_error(harvester: Harvester) -> None:
    for verb in ("ListRecords", "ListIdentifiers"):
        assert harvester.error(verb=verb, metadataPrefix="oai_dc") == "noRecordsMatch"


def test_M2_a_token_is_good_for_another_process_and_after_a_rebuild(
    home: Path, schema: etree.XMLSchema
) -> None:
    with depositor_of(home, home.parent / "out") as depositor, pytest.MonkeyPatch.context() as patch:
        patch.setattr(harvesting, "PAGE", 2)
        for name in "abc":
            depositor.accepted(put_files(home.parent / name, {f"{name}.txt": name.encode()}))
        with client_of(depositor.archive) as client:
            harvester = Harvester(depositor.archive, client, schema)
            first = next(harvester.pages())
            token = tokens(harvester)[0]
            assert token
        with client_of(depositor.archive) as client:  # another application, as after a restart
            harvester = Harvester(depositor.archive, client, schema)
            rest = harvester.ask(verb="ListRecords", resumptionToken=token)
            assert len(headers_of(rest)) == 1
            rebuild_catalogue(depositor.archive, depositor.actor)
            again = harvester.listed(resumptionToken=token)
            assert sorted(again) == sorted(headers_of(first) + headers_of(rest))


def test_M2_what_is_no_token_of_ours_is_told(harvester: Harvester) -> None:
    fill(harvester, 11)
    harvester.listed()
    token = tokens(harvester)[0] or ""
    for verb, text in (
        ("ListRecords", "x"),
        ("ListRecords", token[:-1]),
        ("ListRecords", "\x03 &<\"'"),
        ("ListRecords", ""),
        ("ListIdentifiers", token),
        ("ListSets", token),
    ):
        for post in (False, True):
            assert harvester.error(verb=verb, resumptionToken=text, post=post) == "badResumptionToken"


@pytest.mark.parametrize(
    ("code", "query"),
    [
        ("badVerb", ""),
        ("badVerb", "verb=Harvest"),
        ("badVerb", "verb=Identify&verb=Identify"),
        ("badArgument", "verb=Identify&x=1"),
        ("badArgument", "verb=Identify&%00=%ff"),
        ("badArgument", "verb=ListRecords"),
        ("badArgument", "verb=ListRecords&metadataPrefix=oai_dc&metadataPrefix=oai_dc"),
        ("badArgument", "verb=ListRecords&resumptionToken=x&metadataPrefix=oai_dc"),
        ("badArgument", "verb=ListRecords&metadataPrefix=oai_dc&from=2026-13-01"),
        ("badArgument", "verb=ListRecords&metadataPrefix=oai_dc&from=2026-01-01&until=2026-01-01T00:00:00Z"),
        ("badArgument", "verb=ListRecords&metadataPrefix=oai_dc&from=2026-01-02&until=2026-01-01"),
        ("badArgument", "verb=GetRecord&metadataPrefix=oai_dc&identifier=a%20b"),
        ("noRecordsMatch", "verb=ListRecords&metadataPrefix=oai_dc&until=1999-01-01"),
        ("noRecordsMatch", "verb=ListRecords&metadataPrefix=oai_dc&set=type:nothing"),
        ("noRecordsMatch", "verb=ListIdentifiers&metadataPrefix=oai_dc&from=9999-01-01T00:00:00Z"),
        ("cannotDisseminateFormat", "verb=ListRecords&metadataPrefix=marc21"),
        ("cannotDisseminateFormat", "verb=ListIdentifiers&metadataPrefix=oai_dc2"),
        ("cannotDisseminateFormat", "verb=GetRecord&metadataPrefix=x&identifier=oai:archive.localhost:1"),
        ("idDoesNotExist", "verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:archive.localhost:2"),
        ("idDoesNotExist", "verb=ListMetadataFormats&identifier=ark:99999/hf1000000001"),
        ("badArgument", "&".join(f"x{number}=" for number in range(1000)) + "&verb=Identify"),
    ],
)
def test_M3_each_mistake_has_its_code(harvester: Harvester, code: str, query: str) -> None:
    fill(harvester, 1)
    if "x999" in query:
        code = "badVerb"  # nobody reads that far
    answer = harvester.client.get(f"/oai?{query}")
    assert answer.status_code == 200
    document = etree.fromstring(answer.content)
    harvester.schema.assertValid(document)
    (found,) = document.findall("o:error", NS)
    assert found.get("code") == code


def test_M4_what_is_not_open_is_a_deleted_record_for_ever(harvester: Harvester) -> None:
    kinds = {
        1: {},
        2: {"access": Access(Openness.RESTRICTED, Openness.RESTRICTED)},
        3: {"access": Access(Openness.EMBARGOED, Openness.OPEN, metadata_until="2999-01-01")},
        4: {"access": Access(Openness.EMBARGOED, Openness.OPEN, metadata_until="2000-01-01")},
        5: {"access": Access(Openness.OPEN, Openness.RESTRICTED)},
        6: {"state": PackageState.WITHDRAWN},
        7: {"state": PackageState.DELETED},
        8: {"state": PackageState.PARTLY_DELETED},
    }
    with harvester.archive.catalogue.write() as unit:
        for number, fields in kinds.items():
            put(unit, number, **fields)
    expected = ["1", "-2", "-3", "4", "5", "-6", "-7", "-8"]
    for verb in ("ListRecords", "ListIdentifiers"):
        assert harvester.listed(verb) == expected
        assert harvester.listed(verb, set="type:dataset") == expected
    for number in (2, 3, 6, 7, 8):
        name = f"oai:archive.localhost:{number}"
        document = harvester.ask(verb="GetRecord", identifier=name, metadataPrefix="oai_dc")
        assert headers_of(document) == [f"-{number}"]
        assert document.find(".//o:metadata", NS) is None
        assert document.findtext(".//o:setSpec", namespaces=NS) == "type:dataset"
        assert harvester.error(verb="ListMetadataFormats", identifier=name) == "noMetadataFormats"
    assert b"Record 2" not in b"".join(map(etree.tostring, harvester.answers))


def test_M4_a_withdrawal_is_dated_and_stays(home: Path, schema: etree.XMLSchema) -> None:
    with depositor_of(home, home.parent / "out") as depositor, client_of(depositor.archive) as client:
        harvester = Harvester(depositor.archive, client, schema)
        made = depositor.accepted(put_files(home.parent / "one", {"a.txt": b"a"}))
        name = made.id.rpartition(":")[2]
        document = next(harvester.pages())
        assert headers_of(document) == [name]
        told = document.findtext("o:responseDate", namespaces=NS) or ""
        withdraw(depositor.archive, depositor.actor, made.id, "by mistake")
        assert harvester.listed(from_=told) == [f"-{name}"]
        rebuild_catalogue(depositor.archive, depositor.actor)
        assert harvester.listed(from_=told) == [f"-{name}"]


def test_M5_what_changes_during_a_harvest_is_seen_again_and_nothing_is_skipped(harvester: Harvester) -> None:
    expected = fill(harvester, 35)
    seen: list[str] = []
    for count, page in enumerate(harvester.pages()):
        seen += headers_of(page)
        with harvester.archive.catalogue.write() as unit:
            if count == 0:  # one that was told already, and one that is still to come
                for number in (1, 25):
                    unit.update_package(make_package(number).id, oai_datestamp=unit.datestamp())
                put(unit, 99)
    assert sorted(seen, key=int) == sorted([*expected, "1", "99"], key=int)
    assert seen[-3:] == ["1", "25", "99"]


def test_M5_a_list_whose_rest_has_moved_beyond_until_ends_validly(harvester: Harvester) -> None:
    fill(harvester, 11, datestamp="2026-01-01T00:00:00.000000Z")
    pages = harvester.pages(until="2026-01-01")
    first = next(pages)
    with harvester.archive.catalogue.write() as unit:
        last = ({f"{number}" for number in range(1, 12)} - set(headers_of(first))).pop()
        unit.update_package(make_package(int(last)).id, oai_datestamp=unit.datestamp())
    (second,) = pages
    assert headers_of(second) == headers_of(first)[:1]
    assert second.findtext(".//o:resumptionToken", namespaces=NS) == ""
    assert harvester.listed(from_="2026-01-02") == [last]


def test_M6_many_records_of_one_second_are_all_delivered(
    harvester: Harvester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harvesting, "PAGE", 999)
    expected = fill(harvester, 10_000, datestamp="2026-01-01T00:00:00.500000Z")
    day = "2026-01-01"
    assert sorted(harvester.listed("ListIdentifiers", from_=day, until=day), key=int) == expected


def test_M7_a_day_is_a_whole_day(harvester: Harvester) -> None:
    stamps = ("2025-12-31T23:59:59.999999Z", "2026-01-01T00:00:00.000000Z", "2026-01-01T23:59:59.999999Z")
    with harvester.archive.catalogue.write() as unit:
        for number, stamp in enumerate((*stamps, "2026-01-02T00:00:00.000000Z"), 1):
            put(unit, number, stamp)
    assert harvester.listed(from_="2026-01-01", until="2026-01-01") == ["2", "3"]
    assert harvester.listed(from_="2026-01-01T23:59:59Z", until="2026-01-01T23:59:59Z") == ["3"]
    assert harvester.listed(until="2025-12-31T23:59:59Z") == ["1"]
    assert harvester.listed(until="2025-12-31T23:59:58Z") == []


def test_M8_post_and_odd_characters_work(harvester: Harvester) -> None:
    name = "oai:archive.localhost:%26&a=1+2%"
    with harvester.archive.catalogue.write() as unit:
        put(unit, 1, oai_id="oai:archive.localhost:%26&a=1+2%25")
        for number in range(2, 25):
            put(unit, number)
    name = "oai:archive.localhost:%26&a=1+2%25"
    for post in (False, True):
        document = harvester.ask(verb="GetRecord", identifier=name, metadataPrefix="oai_dc", post=post)
        assert document.findtext(".//o:identifier", namespaces=NS) == name
        assert document.find("o:request", NS).get("identifier") == name
        listed = [each for page in harvester.pages(post=post) for each in headers_of(page)]
        assert len(listed) == 24
    # half in the address, half in the form
    answer = harvester.client.post("/oai?verb=ListRecords", data={"metadataPrefix": "oai_dc"})
    assert b"<ListRecords>" in answer.content
    assert harvester.error(post=True, pairs=[("verb", "Identify"), ("verb", "Identify")]) == "badVerb"


@pytest.mark.parametrize("record", [{}, {"title": "x", "creators": [3]}, "not JSON"])
def test_M9_one_record_that_cannot_be_said_is_left_out_and_told(
    harvester: Harvester, caplog: pytest.LogCaptureFixture, record: object
) -> None:
    expected = fill(harvester, 12)
    text = record if isinstance(record, str) else json.dumps(record)
    with harvester.archive.catalogue.write() as unit:
        change = "UPDATE packages SET record = ? WHERE oai_id = 'oai:archive.localhost:5'"
        unit._connection.exec_driver_sql(change, (text,))
    with caplog.at_level(logging.ERROR):
        for prefix in ("oai_dc", "oai_datacite"):
            assert harvester.listed(metadataPrefix=prefix) == [each for each in expected if each != "5"]
    assert "defect" in caplog.text
    assert make_package(5).id in caplog.text
    name = "oai:archive.localhost:5"
    assert (
        harvester.error(verb="GetRecord", identifier=name, metadataPrefix="oai_dc")
        == "cannotDisseminateFormat"
    )


def test_M9_a_whole_part_that_cannot_be_said_does_not_end_the_list(harvester: Harvester) -> None:
    fill(harvester, 25)
    with harvester.archive.catalogue.write() as unit:
        unit._connection.exec_driver_sql("UPDATE packages SET record = '{}' WHERE title < 'Package 25'")
        left = [each.oai_id for each in unit.packages(limit=30) if each.record]
    assert left
    assert harvester.listed() == [str(each).rpartition(":")[2] for each in left]


def test_M9_text_that_xml_cannot_hold_is_replaced(harvester: Harvester) -> None:
    record = {"title": "\x03 \ufffe ]]> <b> &amp;", "creators": ["\x00"]}
    with harvester.archive.catalogue.write() as unit:
        put(unit, 1, record=record)
    for prefix in ("oai_dc", "oai_datacite"):
        (page,) = harvester.pages(metadataPrefix=prefix)
        assert "\ufffd \ufffd ]]&gt; &lt;b&gt; &amp;amp;" in etree.tostring(page, encoding="unicode")


def test_M10_a_part_of_a_long_list_needs_no_more_memory_than_one_of_a_short_list(
    harvester: Harvester,
) -> None:
    def peaks() -> list[int]:
        """Walk the whole list, and return the most memory that each part took."""
        given, found = {"verb": "ListRecords", "metadataPrefix": "oai_dc"}, []
        while given:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            page = harvester.client.get("/oai", params=given).content
            found.append(tracemalloc.get_traced_memory()[1] - before)
            token = etree.fromstring(page).findtext(".//o:resumptionToken", namespaces=NS)
            given = {"verb": "ListRecords", "resumptionToken": token} if token else {}
        return found

    tracemalloc.start()
    try:
        fill(harvester, 20)
        peaks()  # what is made once, and kept
        short = peaks()
        fill(harvester, 180, first=21)
        long = peaks()
    finally:
        tracemalloc.stop()
    assert (len(short), len(long)) == (2, 20)
    assert max(long) < 2 * max(short)


def test_M11_who_leaves_a_set_is_seen_in_the_other_and_in_the_whole(harvester: Harvester) -> None:
    """The set that was left does not tell: docs/decisions/0012 says so to harvesters."""
    fill(harvester, 2)
    (page,) = harvester.pages()
    told = page.findtext("o:responseDate", namespaces=NS) or ""
    record = {"title": "x", "resourceType": {"resourceTypeGeneral": "Image"}}
    with harvester.archive.catalogue.write() as unit:
        unit.update_package(make_package(1).id, record=record, oai_datestamp=unit.datestamp())
    assert harvester.listed(set="type:dataset") == ["2"]
    assert harvester.listed(set="type:image", from_=told) == ["1"]
    assert "1" in harvester.listed(from_=told)
