"""Archived files are identified again: what changed is recorded, and a rebuild knows it."""

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import schemas
from packages.errors import Refused
from packages.model import Actor, FileEntry
from packages.premis import package_urn
from services.access.landing import Landing, landing
from services.archival_storage.logbook import write_log
from services.archival_storage.logbook_reading import open_logbook
from services.data_management.rebuild import rebuild_catalogue
from services.data_management.reconcile import reconcile
from services.preservation_planning import reidentify as module
from services.preservation_planning.reidentify import Outcome, Reidentified, reidentify
from tests.support.depositor import Depositor, depositor_of, put
from tools.ports import Identification
from tools.pronom import PronomIdentifier

NEW_NAME = "Plain Text, as the new signatures call it"


class Updated:
    """The real identifier with an update of its signatures that knows one format better."""

    def __init__(self, inner: PronomIdentifier) -> None:
        self.inner = inner
        self.read: list[str] = []

    @property
    def version(self) -> str:
        return self.inner.version + " updated"

    def identify(self, paths: Iterable[Path | str]) -> Iterator[Identification]:
        listed = list(paths)
        self.read += [Path(each).name for each in listed]
        for found in self.inner.identify(listed):
            yield replace(found, puid="fmt/9999", name=NEW_NAME) if found.puid == "x-fmt/111" else found

    def let_read(self, *places: Path) -> None: ...

    def start(self) -> None: ...

    def rest(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def package_id(depositor: Depositor, tmp_path: Path) -> str:
    files = {"a.txt": b"words", "again/b.txt": b"words", "c.json": b"{}", "empty.txt": b"", "ü\n.txt": b"odd"}
    return depositor.accepted(put(tmp_path / "deposit", files)).id


def updated(depositor: Depositor) -> Updated:
    tools = depositor.archive.tools
    made = Updated(tools.__dict__.pop("identifier", None) or PronomIdentifier())
    tools.__dict__["identifier"] = made
    return made


def puids(depositor: Depositor, package_id: str) -> dict[str, str | None]:
    with depositor.archive.catalogue.read() as view:
        files: list[FileEntry] = list(view.iter_files(package_id, 1))
    return {each.path.removeprefix("data/original/"): each.puid for each in files if "original" in each.path}


def run(depositor: Depositor, *, dry_run: bool = False, again: bool = False) -> list[Reidentified]:
    return list(reidentify(depositor.archive, depositor.actor, dry_run=dry_run, again=again))


def test_what_these_signatures_have_seen_is_not_read(depositor: Depositor, package_id: str) -> None:
    (found,) = run(depositor)
    assert (found.package_id, found.outcome) == (package_id, Outcome.UP_TO_DATE)
    (found,) = run(depositor, again=True)
    assert (found.outcome, found.files, found.changed) == (Outcome.UNCHANGED, 4, 0)


def test_H1_formats_whose_writer_died_before_the_rows_are_taken_up_from_the_log(
    depositor: Depositor, package_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    updated(depositor)

    def write_and_die(*said: Any, **at: Any) -> None:
        write_log(*said, **at)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_log", write_and_die)
        with pytest.raises(KeyboardInterrupt):
            run(depositor)
    assert puids(depositor, package_id)["a.txt"] == "x-fmt/111"
    [told] = [each for each in reconcile(depositor.archive, depositor.actor).actions if "its log" in each]
    assert "3 of 4 files have another format" in told
    assert puids(depositor, package_id)["a.txt"] == shown(depositor, package_id)[0] == "fmt/9999"
    assert [each.outcome for each in run(depositor)] == [Outcome.UP_TO_DATE]
    assert not [each for each in reconcile(depositor.archive, depositor.actor).actions if "its log" in each]


def test_an_update_is_recorded_in_storage_catalogue_and_events(depositor: Depositor, package_id: str) -> None:
    tool = updated(depositor)
    before = puids(depositor, package_id)
    assert shown(depositor, package_id)[0] == "x-fmt/111"
    (tried,) = run(depositor, dry_run=True)
    assert (tried.outcome, tried.changed) == (Outcome.CHANGED, 3)
    assert puids(depositor, package_id) == before
    tool.read.clear()

    (found,) = run(depositor)
    assert (found.outcome, found.files, found.changed) == (Outcome.CHANGED, 4, 3)
    assert found.formats == {("x-fmt/111", "fmt/9999"): 3}
    assert len(tool.read) == 3, "the same content is read once"
    after = before | {"a.txt": "fmt/9999", "again/b.txt": "fmt/9999", "ü\n.txt": "fmt/9999"}
    assert puids(depositor, package_id) == after
    assert shown(depositor, package_id)[0] == "fmt/9999"
    with depositor.archive.catalogue.read() as view:
        changed = view.package(package_id).updated

    with depositor.archive.catalogue.read() as view:
        event = [each for each in view.events(package_id) if each.type == "format identification"][-1]
        assert view.format_counts({package_id: 1})[package_id][0][:2] == ("fmt/9999", NEW_NAME)
    assert event.agents[0].name == tool.version
    assert event.note == "x-fmt/111 → fmt/9999: 3"
    assert set(event.paths) == {f"data/original/{path}" for path in after if after[path] == "fmt/9999"}

    for store in depositor.archive.stores.values():
        data = open_logbook([store], package_urn(package_id)).data.values()
        judge = Draft202012Validator(schemas.load("log-1.0.json"))
        assert all(judge.is_valid(json.loads(each)) for each in data)
        assert len(open_logbook([store], package_urn(package_id)).in_order()[-1].facts["formats"]) == 3

    assert [each.outcome for each in run(depositor)] == [Outcome.UP_TO_DATE]
    rebuild_catalogue(depositor.archive, depositor.actor)
    assert puids(depositor, package_id) == after
    with depositor.archive.catalogue.read() as view:
        assert view.package(package_id).updated == changed
    assert [each.outcome for each in run(depositor)] == [Outcome.UP_TO_DATE]


def shown(depositor: Depositor, package_id: str) -> list[str | None]:
    """Return the formats on the package's landing page, that of most files first."""
    page = landing(depositor.archive, depositor.actor, package_id)
    assert isinstance(page, Landing)
    return [each.puid for each in page.formats]


def test_many_changes_are_written_in_several_entries(
    depositor: Depositor, package_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_ENTRY", 1)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    updated(depositor)
    (found,) = run(depositor)
    assert found.changed == 3
    after = puids(depositor, package_id)
    assert list(after.values()).count("fmt/9999") == 3
    rebuild_catalogue(depositor.archive, depositor.actor)
    assert puids(depositor, package_id) == after


def test_what_cannot_be_read_is_failed_and_the_rest_goes_on(
    depositor: Depositor, package_id: str, tmp_path: Path
) -> None:
    other = depositor.accepted(put(tmp_path / "other", {"z.txt": b"other words"})).id
    updated(depositor)
    for root in (depositor.archive.home / "stores").iterdir():
        for each in root.rglob("v1/content/data/original"):
            if package_id in str(each):
                shutil.rmtree(each)
    found = {each.package_id: each for each in run(depositor)}
    assert found[package_id].outcome is Outcome.FAILED
    assert "data/original/" in found[package_id].message
    assert found[other].outcome is Outcome.CHANGED
    assert puids(depositor, other) == {"z.txt": "fmt/9999"}


def test_long_files_are_judged_by_both_ends(
    depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.preservation_planning import reidentify_reading

    monkeypatch.setattr(reidentify_reading, "LONG", 1000)
    monkeypatch.setattr(reidentify_reading, "END", 400)
    package_id = depositor.accepted(put(tmp_path / "long", {"long.txt": b"words " * 1000})).id
    (found,) = run(depositor, again=True)
    assert (found.package_id, found.outcome) == (package_id, Outcome.UNCHANGED)


def test_only_archivists_may(depositor: Depositor, package_id: str) -> None:
    nobody = Actor("x", "x", frozenset({"depositor"}))
    with pytest.raises(Refused):
        list(reidentify(depositor.archive, nobody, [package_id]))


def test_F2_a_finding_about_formats_rejects_where_the_archivist_says_so(tmp_path: Path) -> None:
    strict = "extension-mismatch=error,extension-mismatch:fmt/101=warning,unknown=ignore"
    with depositor_of(tmp_path / "home", tmp_path / "out", format_findings=strict) as depositor:
        xml = b'<?xml version="1.0"?><a/>'
        depositor.accepted(put(tmp_path / "one", {"a.sml": xml, "b": bytes(range(1, 200))}))
        rejected = depositor.rejected(put(tmp_path / "two", {"a.jpg": b"%PDF-1.4\n%%EOF\n"}))
        assert rejected.found("format.extension-mismatch")["a.jpg"]["severity"] == "error"
