"""Every catalogue keeps which entries of logs are ours, who made a token, and which tokens are suspended."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.event import listen

from packages.errors import NotFound, Unavailable
from packages.ledger import Package, PackageState, Person, Token
from packages.model import Access
from storage.catalogue import open_catalogue
from storage.catalogue.log_ports import KnownEntry
from storage.catalogue.port import Catalogue
from tests.support.catalogues import make_package

AT = "2026-11-21T10:00:00.000000Z"
LATER = "2026-11-22T10:00:00.000000Z"


def test_an_entry_is_noted_once_and_stays_written(catalogue: Catalogue) -> None:
    meant, written = KnownEntry("sha512:a", AT, is_written=False), KnownEntry("sha512:a", AT, is_written=True)
    for noted, expected in ((meant, meant), (written, written), (meant, written)):
        with catalogue.write() as unit:
            unit.note_entries("p", [noted])
        with catalogue.read() as view:
            assert view.known_entries("p") == {"sha512:a": expected}
    with catalogue.read() as view:
        assert view.known_entries("nobody") == {}


def test_packages_with_entries_of_late_are_listed_if_the_catalogue_has_them(catalogue: Catalogue) -> None:
    p, q, gone = (str(uuid.UUID(int=number)) for number in (1, 2, 3))
    with catalogue.write() as unit:
        for package_id in (p, q):
            unit.add_package(Package(package_id, "o", "A title", AT, AT, access=Access()))
        for package_id in (p, q, gone):  # a rebuild has not found the last
            unit.note_entries(package_id, [KnownEntry(f"sha512:{n}", AT, is_written=True) for n in "ab"])
        assert unit.packages_with_entries(AT) == [p, q]
        assert unit.packages_with_entries(LATER) == []


def test_who_changes_a_package_is_alone_with_it_until_the_end(catalogue: Catalogue) -> None:
    package = make_package()
    with catalogue.write() as unit:
        unit.add_package(package)

    def change() -> None:
        with catalogue.write(wait=0.2) as unit:
            unit.update_package(package.id, title="Meanwhile")

    with ThreadPoolExecutor(1) as other, catalogue.write() as unit:
        unit.update_package(package.id, updated=AT)
        with pytest.raises(Unavailable):
            other.submit(change).result()
    with catalogue.read() as view:
        assert view.package(package.id) == replace(package, updated=AT)


def test_an_entry_is_doubted_until_it_is_noted_as_ours_and_only_a_doubted_one_is_forgotten(
    catalogue: Catalogue,
) -> None:
    ours = KnownEntry("sha512:ours", AT, is_written=True)
    doubted = [KnownEntry(f"sha512:{name}", AT, is_written=False, is_doubted=True) for name in "abc"]
    with catalogue.write() as unit:
        unit.note_entries(
            "p", [ours, *doubted, KnownEntry(ours.digest, AT, is_written=False, is_doubted=True)]
        )
        assert unit.known_entries("p") == {each.digest: each for each in (ours, *doubted)}
        unit.note_entries("p", [KnownEntry("sha512:a", AT, is_written=True)])
        unit.forget_entries("p", ["sha512:b", "sha512:ours", "sha512:a"])
        assert unit.known_entries("p") == {
            "sha512:ours": ours,
            "sha512:a": KnownEntry("sha512:a", AT, is_written=True),
            "sha512:c": doubted[2],
        }


def test_packages_in_doubt_are_listed_with_the_number_of_their_entries(catalogue: Catalogue) -> None:
    ours = KnownEntry("sha512:ours", AT, is_written=True)
    doubted = [KnownEntry(f"sha512:{name}", AT, is_written=False, is_doubted=True) for name in "ab"]
    p, q, gone = (str(uuid.UUID(int=number)) for number in (1, 2, 3))
    with catalogue.write() as unit:
        for package_id in (p, q):
            unit.add_package(
                Package(package_id, "o", "A title", AT, AT, PackageState.PUBLISHED, access=Access())
            )
        for package_id, entries in ((p, doubted), (q, doubted[:1]), (gone, doubted)):
            unit.note_entries(package_id, [ours, *entries])
        assert unit.packages_in_doubt(10) == {p: 2, q: 1}
        assert unit.packages_in_doubt(1) == {p: 2}
        unit.forget_entries(p, ["sha512:a", "sha512:b"])
        assert unit.packages_in_doubt(10) == {q: 1}


def test_an_index_knows_what_is_in_doubt(tmp_path: Path) -> None:
    made = open_catalogue(f"sqlite:///{tmp_path}/catalogue.db")
    made.migrate()
    asked: list[str] = []
    with made.read() as view:
        connection = view._connection  # type: ignore[attr-defined]  # to hear what it asks SQLite
        listen(connection, "before_cursor_execute", lambda *said: asked.append(said[2]))
        view.packages_in_doubt(10)
        [query] = asked
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", (10, 0)).all()
    made.close()
    assert any("USING INDEX log_entries_doubted" in each.detail for each in plan)


def test_a_rebuild_forgets_no_entry(catalogue: Catalogue) -> None:
    with catalogue.write() as unit:
        unit.note_entries("p", [KnownEntry("sha512:a", AT, is_written=True)])
        unit.clear_for_rebuild()
        assert set(unit.known_entries("p")) == {"sha512:a"}


def test_a_token_has_a_maker_and_can_be_suspended_and_confirmed(catalogue: Catalogue) -> None:
    with catalogue.write() as unit:
        for name in ("a", "b"):
            unit.add_person(Person(f"token:{name}", name, frozenset({"admin"}), AT))
            unit.add_token(Token(name, f"token:{name}", name, "admin", f"hash {name}", AT, made_by="os:ada"))
        unit.suspend_tokens({"a", "b"}, LATER)
    with catalogue.read() as view:
        assert [(each.made_by, each.suspended) for each in view.tokens()] == [("os:ada", LATER)] * 2
    with catalogue.write() as unit:
        unit.confirm_token("b")
        unit.confirm_token("b")
        with pytest.raises(NotFound):
            unit.confirm_token("c")
    with catalogue.read() as view:
        assert [each.suspended for each in view.tokens()] == [LATER, None]
