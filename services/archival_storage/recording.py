"""One audit run while it goes on: what it finds is recorded in batches, as evidence first, then as rows."""

import time
import uuid
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from packages.errors import HoldfastError
from packages.model import Actor, now
from services.archival_storage.evidence import append
from services.archive import Archive
from services.work.holders import is_dead, worker_name
from storage.audits import AuditRun, CopyReport, RunState
from storage.ports import ObjectReport, Verdict

BATCH = 500
"""Copies of which the reports are recorded together."""
SECONDS = 300.0
"""A report waits no longer for others: so much is read again after a kill, at most, and the copy at hand."""


class Recording:
    """Records one run; as a context manager it ends the run, *done* or *broken off* by what left it.

    A run that read nothing and has nothing to say leaves no record. For one thread.
    """

    def __init__(
        self, archive: Archive, actor: Actor, scope: Mapping[str, Any], budget: int | None = None
    ) -> None:
        self._archive = archive
        self._actor = actor
        self._found: list[CopyReport] = []
        self._since = time.monotonic()
        self._counts: Counter[str] = Counter()
        self._told: list[str] = []
        self.run = AuditRun(
            id=str(uuid.uuid4()),
            person_id=actor.id,
            person=actor.name,
            started=now(),
            scope=dict(scope),
            budget=budget,
            owner=worker_name(),
        )

    def __enter__(self) -> Self:
        end_dead_runs(self._archive)
        with self._archive.catalogue.write() as unit:
            unit.put_audit_run(self.run)
        return self

    def add(self, package_id: str, found: ObjectReport, *, quarantined: bool = False) -> None:
        """Take one report up; every so often all of them are recorded."""
        self._found.append(CopyReport(str(uuid.uuid4()), package_id, now(), found, quarantined))
        self._counts[found.verdict] += 1
        self.run = replace(
            self.run,
            copies=self.run.copies + 1,
            bytes=self.run.bytes + found.bytes,
            counts={str(verdict): self._counts[verdict] for verdict in Verdict if self._counts[verdict]},
        )
        if len(self._found) >= BATCH or time.monotonic() - self._since > SECONDS:
            self._record()

    def tell(self, message: str) -> None:
        """Note what kept the run from something, such as a store that is away."""
        self._told.append(message)
        self.run = replace(self.run, message="; ".join(self._told))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and not self.run.message:
            self.tell(str(error) if isinstance(error, Exception) else "somebody broke it off")
        state = RunState.DONE if kind is None else RunState.BROKEN_OFF
        self.run = replace(self.run, state=state, ended=now())
        if self.run.copies or self.run.message:
            try:
                self._record()
            except HoldfastError as trouble:
                self._give_up(trouble)
                raise
        else:
            with self._archive.catalogue.write() as unit:
                unit.drop_audit_run(self.run.id)

    def _give_up(self, trouble: HoldfastError) -> None:
        """Say at least that the run is over, though no store takes what it has found last."""
        self.tell(f"what was found last could not be recorded: {trouble.message}")
        self.run = replace(self.run, state=RunState.BROKEN_OFF)
        with suppress(HoldfastError), self._archive.catalogue.write() as unit:
            unit.put_audit_run(self.run)

    def _record(self) -> None:
        append(self._archive, self._actor, self.run, self._found)
        self._found = []
        self._since = time.monotonic()


def end_dead_runs(archive: Archive) -> list[AuditRun]:
    """Mark runs *broken off* whose process was one of this machine and is gone; return them."""
    with archive.catalogue.read() as view:
        running = view.audit_runs(state=RunState.RUNNING, limit=1000)
    dead = [
        replace(each, state=RunState.BROKEN_OFF, ended=now(), message="its process died")
        for each in running
        if each.owner and is_dead(each.owner)
    ]
    if dead:
        with archive.catalogue.write() as unit:
            for each in dead:
                unit.put_audit_run(each)
    return dead
