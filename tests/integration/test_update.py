"""A changed record makes a new version of a few KB; unchanged bytes are not stored twice."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from packages.bagit.validate import validate_bag
from packages.errors import Conflict, Invalid, NotFound
from packages.ledger import JobState, Package, PidState
from packages.model import Actor
from packages.record import CURRENT
from services.access.searching import search
from services.administration.decisions import decide
from services.administration.holding import withdraw
from services.data_management.rebuild import rebuild_catalogue
from services.data_management.views import status, versions
from services.ingest.revision import update_record
from services.ingest.steps import publish
from services.store_settings import path_of
from services.work.engine import Silence, run_job
from tests.support.depositor import Deposit, Depositor, hollow, put, tree
from tests.support.folders import FolderSubmission

FILES = {"large.bin": os.urandom(3 << 20), "a.txt": b"a", "100 %/line\nfeed": b"odd"}
FEW_KB = 20_000


def record(title: str, **more: Any) -> bytes:
    return json.dumps({"$schema": CURRENT, "title": title, **more}).encode()


def update(depositor: Depositor, made: Deposit, data: bytes, message: str = "") -> Deposit:
    job = update_record(depositor.archive, depositor.actor, made.id, data, message)
    assert job is not None
    updated = depositor.again(run_job(depositor.archive, job.id))
    depositor.prove_accepted(updated)
    return updated


def stored(depositor: Depositor) -> dict[str, dict[Path, int]]:
    """Return every file of every store with its size."""
    roots = {name: path_of(url) for name, url in depositor.archive.settings.store_urls.items()}
    return {
        name: {each: each.stat().st_size for each in root.rglob("*") if each.is_file()}
        for name, root in roots.items()
    }


def test_a_new_version_costs_a_few_kilobytes_and_changes_nothing_that_was_there(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    source = put(tmp_path / "source", FILES)
    (source / "empty").mkdir()
    made = shared_depositor.accepted(source, record=record("First"))
    before = stored(shared_depositor)
    updated = update(shared_depositor, made, record("Second"), "mend the title")
    assert (updated.status["version"], updated.status["title"]) == (2, "Second")
    assert updated.status["pid"] == made.status["pid"]
    assert updated.status["oai_id"] == made.status["oai_id"]
    for name, files in stored(shared_depositor).items():
        added = {path: size for path, size in files.items() if path not in before[name]}
        mutable = {"inventory.json", "inventory.json.sha512"}
        grown = sum(added.values())
        assert 0 < grown < FEW_KB * 3, added
        content = [path for path in added if "/content/" in str(path)]
        assert not [path for path in content if "/data/" in str(path)], "payload is not stored again"
        assert sum(added[path] for path in content) < FEW_KB
        for path, size in before[name].items():
            assert path in files, path
            assert files[path] == size or path.name in mutable, path


def test_each_version_exports_as_a_valid_bag_with_its_own_record(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    source = put(tmp_path / "source", FILES)
    (source / "empty").mkdir()
    made = shared_depositor.accepted(source, record=record("First"))
    made = update(shared_depositor, made, record("Second"))
    made = update(shared_depositor, made, record("Third", subjects=["ports"]))
    for number, title in ((1, "First"), (2, "Second"), (3, "Third")):
        aip = shared_depositor.give_back(made, "aip", version=number)
        assert validate_bag(FolderSubmission(aip), "", digests_known=True).is_valid
        assert tree(aip / "data/original") == FILES
        assert hollow(aip / "data/original") == {"empty"}
        assert json.loads((aip / "metadata/record.json").read_bytes())["title"] == title
        premis = {each.name for each in (aip / "metadata/premis").iterdir()}
        assert premis == {f"events-v{each}.xml" for each in range(1, number + 1)}
    shared_depositor.prove_identical(made, FILES, ["empty"])
    told = versions(shared_depositor.archive, shared_depositor.actor, made.id)
    assert [each["version"] for each in told] == [1, 2, 3]
    assert len({each["inventory"] for each in told}) == 3
    with pytest.raises(NotFound):
        shared_depositor.give_back(made, "aip", version=4)


def test_the_dip_of_an_old_version_bears_the_record_of_that_version(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    made = shared_depositor.accepted(put(tmp_path / "source", {"a": b"a"}), record=record("As it was"))
    made = update(shared_depositor, made, record("As it is"))
    for number, title in ((1, "As it was"), (2, "As it is")):
        dip = shared_depositor.give_back(made, "dip", version=number)
        assert json.loads((dip / "metadata/record.json").read_bytes())["title"] == title


def test_search_finds_the_new_title_and_no_longer_the_old_one(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    made = shared_depositor.accepted(put(tmp_path / "source", {"a": b"a"}), record=record("Ptarmigan"))
    update(shared_depositor, made, record("Capercaillie"))
    archive, actor = shared_depositor.archive, shared_depositor.actor
    assert search(archive, actor, "ptarmigan").total == 0
    assert [each.id for each in search(archive, actor, "capercaillie").hits] == [made.id]


def test_the_same_record_again_is_no_new_version(shared_depositor: Depositor, tmp_path: Path) -> None:
    made = shared_depositor.accepted(put(tmp_path / "source", {"a": b"a"}), record=record("Same"))
    assert update_record(shared_depositor.archive, shared_depositor.actor, made.id, record("Same")) is None
    assert len(versions(shared_depositor.archive, shared_depositor.actor, made.id)) == 1


def test_a_bad_record_or_a_second_revision_at_once_is_refused_and_changes_nothing(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    archive, actor = shared_depositor.archive, shared_depositor.actor
    made = shared_depositor.accepted(put(tmp_path / "source", {"a": b"a"}), record=record("Good"))
    with pytest.raises(Invalid) as caught:
        update_record(archive, actor, made.id, record("", publicationYear="soon"))
    told = " ".join(each.message for each in caught.value.findings)
    assert "/title" in told
    assert "/publicationYear" in told
    job = update_record(archive, actor, made.id, record("Better"))
    assert job is not None
    with pytest.raises(Conflict):
        update_record(archive, actor, made.id, record("Best"))
    shown = status(archive, actor, made.id)
    assert (shown["state"], shown["title"]) == ("published", "Good"), (
        "published it stays, as it was, meanwhile"
    )
    assert shown["work"]["flow"] == "update"
    assert run_job(archive, job.id).state is JobState.DONE
    assert status(archive, actor, made.id)["title"] == "Better"


def test_a_stranger_may_not_revise_and_is_told_nothing(shared_depositor: Depositor, tmp_path: Path) -> None:
    made = shared_depositor.accepted(put(tmp_path / "source", {"a": b"a"}), record=record("Mine"))
    stranger = Actor("other", "Other depositor", frozenset({"depositor"}))
    with pytest.raises(NotFound):
        update_record(shared_depositor.archive, stranger, made.id, record("Hers"))


def test_an_access_that_is_closed_by_a_revision_is_closed_at_every_door(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    made = shared_depositor.accepted(put(tmp_path / "source", {"a": b"a"}), record=record("Kittiwake"))
    reader = Actor("reader", "Reader", frozenset())
    archive = shared_depositor.archive
    assert search(archive, reader, "kittiwake").total == 1
    closed = {"metadata": "restricted", "files": "restricted"}
    update(shared_depositor, made, record("Kittiwake", access=closed))
    assert search(archive, reader, "kittiwake").total == 0
    with pytest.raises(NotFound):
        status(archive, reader, made.id)


def test_what_is_withdrawn_while_a_new_version_is_on_its_way_stays_so(
    depositor: Depositor, tmp_path: Path
) -> None:
    made = depositor.accepted(put(tmp_path / "source", {"a": b"a"}), record=record("First"))
    job = update_record(depositor.archive, depositor.actor, made.id, record("Second"))
    assert job is not None

    class Withdrawing(Silence):
        def step_started(self, package: Package, step: str) -> None:
            if step == "publish":
                withdraw(depositor.archive, depositor.actor, package.id, "not ours to show")

    updated = depositor.again(run_job(depositor.archive, job.id, Withdrawing()))
    assert (updated.job.state, updated.status["state"]) == (JobState.DONE, "withdrawn")
    assert (updated.status["title"], updated.step("publish")["result"]) == ("Second", "withdrawn")


def test_what_is_withdrawn_at_the_very_moment_of_publication_stays_so(
    depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = depositor.archive
    made = depositor.accepted(put(tmp_path / "source", {"a": b"a"}), record=record("First"))
    job = update_record(archive, depositor.actor, made.id, record("Second"))
    assert job is not None
    written = publish.write_log

    def meanwhile(*given: Any, **more: Any) -> None:
        written(*given, **more)
        monkeypatch.setattr(publish, "write_log", written)
        withdraw(archive, depositor.actor, made.id, "not ours to show")

    monkeypatch.setattr(publish, "write_log", meanwhile)
    stopped = run_job(archive, job.id)
    assert (stopped.state, stopped.step) == (JobState.FAILED, "publish")
    assert stopped.not_before is not None, "it goes on by itself"
    decide(archive, depositor.actor, "retry", [made.id])
    assert run_job(archive, job.id).state is JobState.DONE
    for _ in range(2):
        with archive.catalogue.read() as view:
            [pid] = view.pids_of(made.id)
        assert (depositor.again(job).status["state"], pid.state) == ("withdrawn", PidState.TOMBSTONE)
        rebuild_catalogue(archive, depositor.actor)
