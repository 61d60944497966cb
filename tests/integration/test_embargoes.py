"""The end of an embargo: said to harvesters and the index once, with PID, event and log."""

import json
from pathlib import Path

import pytest

from packages.errors import Refused
from packages.ledger import Package, PidState
from packages.model import Actor
from packages.premis import package_urn
from packages.record import CURRENT
from services.administration import embargoes
from services.administration.embargoes import lift_embargoes
from services.administration.people import local_actor
from services.archival_storage.logbook_reading import open_logbook
from services.archive import Archive, init_archive
from services.data_management.rebuild import rebuild_catalogue
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job

BEFORE, BETWEEN, AFTER = "2950-01-01", "2960-01-01", "2999-01-01"


def embargoed(archive: Archive, folder: Path, **access: str) -> str:
    source = folder / "source"
    source.mkdir()
    (source / "a.txt").write_text("later")
    record = {
        "$schema": CURRENT,
        "title": "Later",
        "creators": ["Ada Lovelace"],
        "publisher": "Harbour museum",
        "publicationYear": 1911,
        "resourceType": "Dataset",
        "access": access,
    }
    job = submit(archive, local_actor(archive), Wanted(source, record=json.dumps(record).encode()))
    assert run_job(archive, job.id).state == "done"
    return job.package_id


def seen(archive: Archive, package_id: str) -> tuple[Package, PidState, int]:
    with archive.catalogue.read() as view:
        package = view.package(package_id)
        pid = view.pid(package.pid or "")
        events = [each for each in view.events(package_id) if each.step == "embargo"]
    assert pid is not None
    return package, pid.state, len(events)


def test_an_embargo_is_lifted_once_for_each_of_its_dates(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, _ = init_archive(home)
    package_id = embargoed(
        archive,
        tmp_path,
        metadata="embargoed",
        metadataUntil="2955-01-01",
        files="embargoed",
        filesUntil="2965-01-01",
    )
    actor = local_actor(archive)
    before, pid, events = seen(archive, package_id)
    assert (pid, events) == (PidState.RESERVED, 0)
    days = {BEFORE: [], BETWEEN: [package_id], AFTER: [package_id]}
    for number, (day, expected) in enumerate(days.items()):
        monkeypatch.setattr(embargoes, "today", lambda day=day: day)
        monkeypatch.setattr(embargoes, "now", lambda day=day: f"{day}T00:05:00.000000Z")
        assert lift_embargoes(archive, actor) == expected
        assert lift_embargoes(archive, actor) == []  # again is a no-op
        package, pid, events = seen(archive, package_id)
        assert events == number
        if expected:
            assert package.oai_datestamp
            assert before.oai_datestamp
            assert package.oai_datestamp > before.oai_datestamp
            assert pid is PidState.REGISTERED
        else:
            assert package.oai_datestamp == before.oai_datestamp
    for store in archive.stores.values():
        said = [
            each
            for entry in open_logbook([store], package_urn(package_id)).in_order()
            for each in entry.events
        ]
        assert [each.at[:10] for each in said if each.step == "embargo"] == [BETWEEN, AFTER]
    rebuild_catalogue(archive, actor)
    assert seen(archive, package_id)[1:] == (PidState.REGISTERED, 2)
    assert lift_embargoes(archive, actor) == []  # a rebuild dates everything anew, which lifts nothing again
    archive.close()


def test_only_archivists_lift(home: Path) -> None:
    archive, _ = init_archive(home)
    with pytest.raises(Refused):
        lift_embargoes(archive, Actor("a", "A", frozenset({"depositor"})))
    archive.close()
