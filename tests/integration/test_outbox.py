"""Side work that leaves after the commit: what cannot be done holds up nothing else."""

from pathlib import Path
from typing import Any

import pytest

from services.ingest.submission import Wanted, submit
from services.work import outbox
from services.work.engine import run_job
from services.work.outbox import INDEX, drain
from tests.support.depositor import depositor_of, put


def test_a_package_that_nobody_can_describe_keeps_no_other_out_of_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = outbox.search_document

    def fails_for_one(package: Any, *given: Any) -> Any:
        if package.source_name == "one":
            raise KeyError("titles")
        return described(package, *given)

    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:
        archive = depositor.archive
        for name in ("one", "two", "three"):
            job = submit(archive, depositor.actor, Wanted(put(tmp_path / name, {"a": name.encode()})))
            run_job(archive, job.id, drains=False)
        monkeypatch.setattr(outbox, "search_document", fails_for_one)
        drain(archive)
        assert archive.index.count() == 2
        with archive.catalogue.read() as view:
            [left] = view.outbox(INDEX)
        assert left.message.startswith("a defect of Holdfast: KeyError")
        monkeypatch.setattr(outbox, "search_document", described)
        with archive.catalogue.write() as unit:
            unit.outbox_failed([left.id], "", None)
        assert drain(archive) == 1
        assert archive.index.count() == 3
