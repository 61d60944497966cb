"""What audits ask of the catalogue: runs, reports, alarms, due lists, what was sealed; parts of `port`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from packages.ledger import CopyRecord
from storage.audits import Alarm, AuditRun, CopyReport, Link, Root, RunState
from storage.catalogue.log_ports import LogReading, LogWriting


class AuditReading(LogReading, Protocol):
    """Tells what audits found; each list is in a stated order and paged by key."""

    def audit_run(self, run_id: str) -> AuditRun:
        """Return one run, by its id or an unambiguous beginning.

        Raises NotFound, or Conflict naming the candidates.
        """
        ...

    def audit_runs(
        self,
        *,
        state: RunState | None = None,
        after: tuple[str, str] | None = None,
        newest_first: bool = False,
        limit: int = 100,
    ) -> list[AuditRun]:
        """Return at most `limit` runs by (started, id), behind the key `after`."""
        ...

    def audit_reports(
        self, run_id: str, *, after: int = 0, problems_only: bool = False, limit: int = 100
    ) -> list[tuple[int, CopyReport]]:
        """Return (number, report) of what a run found, in the order of recording, behind number `after`.

        Of a copy with very many problems the first `MOST_PROBLEMS` come along; its counts tell of all.
        """
        ...

    def alarms(
        self,
        *,
        stores: Sequence[str] | None = None,
        is_open: bool = True,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> list[Alarm]:
        """Return alarms by (raised, id), behind the key `after`; not `is_open`: mended ones too.

        Those of packages that are not kept any more, and of other stores than `stores`, are left out.
        """
        ...

    def has_alarm(self, package_id: str, store: str) -> bool:
        """Tell whether an alarm is open for a copy, or for a storage root (`THE_STORE`)."""
        ...

    def alarm_count(self, stores: Sequence[str] | None = None) -> Mapping[str, int]:
        """Return how many alarms are open, by verdict, as `alarms` would list them."""
        ...

    def copies_due(
        self,
        store: str,
        before: str | None,
        *,
        ahead: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> list[CopyRecord]:
        """Return copies of kept packages that were not read back since `before` (None: ever).

        Never read ones first, then the oldest reading, by (time or "", package id), behind the key `after`;
        copies that are still to be made are left out. Last come those read after `ahead`, the present: the
        clock by which they were was wrong.
        """
        ...

    def roots_of(self, package_id: str) -> Mapping[int, str]:
        """Return the SHA-512 of each visible version's inventory: as sealed, else as it was made."""
        ...

    def sealed_roots(self, package_id: str) -> Mapping[int, str]:
        """Return what was sealed of a package's versions, visible or not."""
        ...

    def roots_unsealed(self, limit: int = 1000) -> list[Root]:
        """Return inventories of visible versions that no link has sealed, by (package, version)."""
        ...

    def last_link(self) -> Link | None:
        """Return the newest link of the chain of evidence that is known here."""
        ...

    def link(self, number: int) -> Link | None:
        """Return one link of the chain."""
        ...


class AuditWriting(LogWriting, Protocol):
    """Records what audits found; each change is part of the session's one transaction."""

    def put_audit_run(self, run: AuditRun) -> None:
        """Record a run as it stands, instead of what was known of it."""
        ...

    def drop_audit_run(self, run_id: str) -> None:
        """Forget a run that had nothing to read; absent is no matter."""
        ...

    def add_audit_reports(self, run: AuditRun, reports: Iterable[CopyReport]) -> None:
        """Record reports of a known run; raise alarms for what is bad, end them for what is intact.

        One whose id is there already changes nothing. *Unchecked* leaves an alarm of damage as it is.
        """
        ...

    def add_link(self, link: Link, roots: Iterable[Root]) -> list[Root]:
        """Record a link of the chain, and what it sealed; return what is known otherwise, which stays.

        Again is a no-op. Raises Conflict for another digest at that number.
        """
        ...
