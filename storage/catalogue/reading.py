# ruff: noqa: D102  # the port states what each method owes
"""What can be asked of the catalogue about packages, jobs, people; see `filing` for files."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    tuple_,
)

from packages.errors import Conflict, NotFound
from packages.findings import Finding
from packages.ledger import (
    KEPT_STATES,
    CopyRecord,
    Counts,
    IdempotencyKey,
    Job,
    JobKind,
    JobState,
    OutboxItem,
    Package,
    PackageFilter,
    PackageState,
    Person,
    PidRecord,
    StepRecord,
    Token,
    VersionRecord,
)
from packages.model import Event
from storage.catalogue import rows, tables
from storage.catalogue.paging import PAGE, by_age, paged
from storage.catalogue.parts import Parts
from storage.catalogue.prepared import Prepared

_CANDIDATES = 5
_GONE = (PackageState.REJECTED, PackageState.CANCELLED, PackageState.DELETED)

packages, jobs, steps, findings = tables.packages, tables.jobs, tables.steps, tables.findings

# Asked at every step of every job: to build them each time would take as long as to run them.
_PACKAGE = Prepared(select(packages).where(packages.c.id == bindparam("id")))
_JOB = Prepared(select(jobs).where(jobs.c.id == bindparam("id")))
_OPEN_JOB = Prepared(select(jobs).where(jobs.c.package_id == bindparam("id"), tables.OPEN_JOBS))
_STEPS = Prepared(
    select(steps).where(steps.c.job_id == bindparam("id")).order_by(steps.c.position, steps.c.name)
)
_FINDINGS = Prepared(select(findings).where(findings.c.job_id == bindparam("id")).order_by(findings.c.number))
_EVENTS_OF = (
    select(tables.events)
    .where(tables.events.c.package_id == bindparam("id"))
    .order_by(tables.events.c.number)
)
_EVENTS = Prepared(_EVENTS_OF)
_EVENTS_AFTER = Prepared(
    _EVENTS_OF.where(
        tables.events.c.number
        > select(tables.events.c.number).where(tables.events.c.id == bindparam("after")).scalar_subquery()
    )
)
_PID = Prepared(select(tables.pids).where(tables.pids.c.pid == bindparam("pid")))
# Asked by everybody who waits for a package, several times a second.
_EXACTLY = Prepared(
    select(packages.c.id).where(
        or_(packages.c.id == bindparam("id"), packages.c.oai_id == bindparam("oai_id"))
    )
)
_NEWEST_JOBS = select(jobs).join(packages, packages.c.job_id == jobs.c.id)
_LATEST_JOB = Prepared(_NEWEST_JOBS.where(packages.c.id == bindparam("id")))
_LATEST_JOBS = _NEWEST_JOBS.where(packages.c.id.in_(bindparam("ids", expanding=True)))
_COPIES_OF = (
    select(tables.copies)
    .where(tables.copies.c.package_id.in_(bindparam("ids", expanding=True)))
    .order_by(tables.copies.c.store)
)
_COPIES = Prepared(
    select(tables.copies).where(tables.copies.c.package_id == bindparam("id")).order_by(tables.copies.c.store)
)
_PERSON = Prepared(select(tables.people).where(tables.people.c.id == bindparam("id")))
_TOKEN = Prepared(select(tables.tokens).where(tables.tokens.c.hash == bindparam("hash")))
_REJECTED_BEFORE = Prepared(
    select(packages.c.id)
    .where(
        tables.REJECTED, packages.c.owner == bindparam("owner"), packages.c.source_name == bindparam("name")
    )
    .order_by(packages.c.created.desc(), packages.c.id.desc())
    .limit(1)
)
_SAME_CONTENT = Prepared(
    select(packages.c.id)
    .where(
        packages.c.owner == bindparam("owner"),
        packages.c.fingerprint == bindparam("fingerprint"),
        *(packages.c.state != each for each in _GONE),
    )
    .order_by(packages.c.created, packages.c.id)
    .limit(1)
)


def written_pid(reference: str) -> str:
    """Return a persistent identifier as it is stored: ``ark:`` without the old slash and hyphens."""
    if reference[:4].lower() == "ark:":
        return "ark:" + reference[4:].removeprefix("/").replace("-", "")
    return reference


def is_due(now: str | BindParameter[str]) -> ColumnElement[bool]:
    """Return the condition under which a job may be claimed at `now`."""
    not_held = or_(jobs.c.not_before.is_(None), jobs.c.not_before <= now)
    return or_(
        and_(jobs.c.state == JobState.QUEUED, not_held),
        and_(jobs.c.state == JobState.FAILED, jobs.c.not_before <= now),
        and_(jobs.c.state == JobState.RUNNING, or_(jobs.c.lease_until.is_(None), jobs.c.lease_until < now)),
    )


def _matching(wanted: PackageFilter) -> Select[*tuple[Any, ...]]:
    query: Select[*tuple[Any, ...]] = select(packages)
    if wanted.step is not None or wanted.reason is not None or wanted.work is not None:
        query = query.join(jobs, jobs.c.id == packages.c.job_id)
    if wanted.state is not None:
        query = query.where(packages.c.state == wanted.state)
    if wanted.kept:
        query = query.where(packages.c.state.in_(sorted(KEPT_STATES)))
    if wanted.owner is not None:
        query = query.where(packages.c.owner == wanted.owner)
    if wanted.since is not None:
        query = query.where(packages.c.updated >= wanted.since)
    if wanted.work is not None:
        query = query.where(jobs.c.state == wanted.work)
    if wanted.step is not None:
        query = query.where(jobs.c.step == wanted.step)
    if wanted.reason is not None:
        query = query.where(jobs.c.reason.icontains(wanted.reason, autoescape=True))
    return query


class Reading(Parts):
    """The read half of a session; see `port.ReadSession` for what each method owes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def archive_id(self) -> str | None:
        query = select(tables.archive.c.value).where(tables.archive.c.name == "id")
        return self._connection.execute(query).scalar_one_or_none()

    # --- packages ---

    def package(self, package_id: str) -> Package:
        row = _PACKAGE.row(self._connection, {"id": package_id})
        if row is None:
            raise NotFound(f"there is no package “{rows.clean(package_id)}”.")
        return rows.package_of(row)

    def resolve(self, reference: str, *, owner: str | None = None) -> str:
        reference = rows.clean(reference.strip())
        found = self._exactly(reference)
        if found is not None:
            return found
        prefix = reference.lower()
        if prefix:
            query = (
                select(packages.c.id)
                .where(packages.c.id >= prefix, packages.c.id < prefix + "\x7f")
                .order_by(packages.c.id)
                .limit(_CANDIDATES + 1)
            )
            if owner is not None:
                query = query.where(packages.c.owner == rows.clean(owner))
            candidates = self._connection.execute(query).scalars().all()
            if len(candidates) == 1:
                return str(candidates[0])
            if candidates:
                named = ", ".join(candidates[:_CANDIDATES])
                named += " …" if len(candidates) > _CANDIDATES else ""
                raise Conflict(
                    f"“{reference}” may mean several packages: {named}.", hint="Give more characters."
                )
        raise NotFound(
            f"there is no package “{reference}”.",
            hint="Give a package id, its first characters, or a persistent identifier.",
        )

    def _exactly(self, reference: str) -> str | None:
        given = {"id": reference.lower(), "oai_id": reference}
        row = _EXACTLY.row(self._connection, given)
        if row is not None:
            return str(row.id)
        record = self.pid(reference)
        return record.package_id if record else None

    def packages(
        self,
        wanted: PackageFilter | None = None,
        *,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> list[Package]:
        query = _matching(wanted or PackageFilter()).order_by(packages.c.created, packages.c.id).limit(limit)
        if after is not None:
            query = query.where(tuple_(packages.c.created, packages.c.id) > tuple_(*after))
        return [rows.package_of(each) for each in self._connection.execute(query)]

    def newest_packages(
        self,
        wanted: PackageFilter | None = None,
        *,
        before: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> list[Package]:
        query = _matching(wanted or PackageFilter()).limit(limit)
        if before is not None:
            query = query.where(tuple_(packages.c.created, packages.c.id) < tuple_(*before))
        query = query.order_by(packages.c.created.desc(), packages.c.id.desc())
        return [rows.package_of(each) for each in self._connection.execute(query)]

    def iter_packages(self, wanted: PackageFilter | None = None) -> Iterator[Package]:
        return paged(lambda after: self.packages(wanted, after=after, limit=PAGE), by_age)

    def same_content(self, owner: str, fingerprint: str) -> str | None:
        row = _SAME_CONTENT.row(self._connection, {"owner": rows.clean(owner), "fingerprint": fingerprint})
        return str(row.id) if row else None

    def rejected_before(self, owner: str, source_name: str) -> str | None:
        given = {"owner": rows.clean(owner), "name": rows.clean(source_name)}
        row = _REJECTED_BEFORE.row(self._connection, given)
        return str(row.id) if row else None

    # --- jobs ---

    def job(self, job_id: str) -> Job:
        row = _JOB.row(self._connection, {"id": job_id})
        if row is None:
            raise NotFound(f"there is no job “{rows.clean(job_id)}”.")
        return rows.job_of(row)

    def open_job(self, package_id: str) -> Job | None:
        row = _OPEN_JOB.row(self._connection, {"id": package_id})
        return rows.job_of(row) if row else None

    def latest_job(self, package_id: str) -> Job | None:
        row = _LATEST_JOB.row(self._connection, {"id": package_id})
        return rows.job_of(row) if row else None

    def latest_jobs(self, package_ids: Sequence[str]) -> dict[str, Job]:
        found = self._connection.execute(_LATEST_JOBS, {"ids": list(package_ids)})
        return {row.package_id: rows.job_of(row) for row in found}

    def jobs_due(self, now: str, limit: int = 100) -> list[Job]:
        query = select(jobs).where(is_due(now)).order_by(jobs.c.created, jobs.c.id).limit(limit)
        return [rows.job_of(each) for each in self._connection.execute(query)]

    def jobs(
        self,
        states: Iterable[JobState],
        *,
        kind: JobKind | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> list[Job]:
        query = select(jobs).where(jobs.c.state.in_(sorted(states)))
        if kind is not None:
            query = query.where(jobs.c.kind == kind)
        if after is not None:
            query = query.where(tuple_(jobs.c.created, jobs.c.id) > tuple_(*after))
        query = query.order_by(jobs.c.created, jobs.c.id).limit(limit)
        return [rows.job_of(each) for each in self._connection.execute(query)]

    def steps(self, job_id: str) -> list[StepRecord]:
        return [rows.step_of(each) for each in _STEPS.rows(self._connection, {"id": job_id})]

    def findings(self, job_id: str) -> list[Finding]:
        return [rows.finding_of(each) for each in _FINDINGS.rows(self._connection, {"id": job_id})]

    # --- what hangs on a package ---

    def events(self, package_id: str, *, after: str | None = None) -> Iterator[Event]:
        found = _EVENTS if after is None else _EVENTS_AFTER
        yield from map(rows.event_of, found.rows(self._connection, {"id": package_id, "after": after}))

    def versions(self, package_id: str) -> list[VersionRecord]:
        query = (
            select(tables.versions)
            .where(tables.versions.c.package_id == package_id)
            .order_by(tables.versions.c.number)
        )
        return [rows.version_of(each) for each in self._connection.execute(query)]

    def copies(
        self,
        package_id: str | None = None,
        *,
        store: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 1000,
    ) -> list[CopyRecord]:
        copies = tables.copies
        query = select(copies).order_by(copies.c.package_id, copies.c.store).limit(limit)
        if package_id is not None:
            query = query.where(copies.c.package_id == package_id)
        if store is not None:
            query = query.where(copies.c.store == store)
        if after is not None:
            query = query.where(tuple_(copies.c.package_id, copies.c.store) > tuple_(*after))
        return [rows.copy_of(each) for each in self._connection.execute(query)]

    def copies_of(self, package_ids: Sequence[str]) -> dict[str, list[CopyRecord]]:
        if len(package_ids) == 1:
            found_here = _COPIES.rows(self._connection, {"id": package_ids[0]})
            return {package_ids[0]: [rows.copy_of(each) for each in found_here]}
        found: dict[str, list[CopyRecord]] = {each: [] for each in package_ids}
        for row in self._connection.execute(_COPIES_OF, {"ids": list(package_ids)}):
            found[row.package_id].append(rows.copy_of(row))
        return found

    def pid(self, pid: str) -> PidRecord | None:
        row = _PID.row(self._connection, {"pid": written_pid(pid)})
        return rows.pid_of(row) if row else None

    def pids_of(self, package_id: str) -> list[PidRecord]:
        query = select(tables.pids).where(tables.pids.c.package_id == package_id).order_by(tables.pids.c.pid)
        return [rows.pid_of(each) for each in self._connection.execute(query)]

    # --- people ---

    def person(self, person_id: str) -> Person | None:
        row = _PERSON.row(self._connection, {"id": person_id})
        return rows.person_of(row) if row else None

    def person_of_os_user(self, os_user: str) -> Person | None:
        query = select(tables.people).where(tables.people.c.os_user == os_user)
        row = self._connection.execute(query).one_or_none()
        return rows.person_of(row) if row else None

    def tokens(self) -> list[Token]:
        query = select(tables.tokens).order_by(tables.tokens.c.created, tables.tokens.c.id)
        return [Token(*each) for each in self._connection.execute(query)]

    def token_by_hash(self, digest: str) -> Token | None:
        row = _TOKEN.row(self._connection, {"hash": digest})
        return Token(*row) if row else None

    # --- outbox, keys, numbers ---

    def outbox(self, topic: str, *, now: str | None = None, limit: int = 100) -> list[OutboxItem]:
        box = tables.outbox
        query = select(box).where(box.c.topic == topic).order_by(box.c.number).limit(limit)
        if now is not None:
            query = query.where(or_(box.c.not_before.is_(None), box.c.not_before <= now))
        return [
            OutboxItem(row.number, row.topic, row.package_id, row.created, row.attempts, row.message)
            for row in self._connection.execute(query)
        ]

    def idempotency_key(self, owner: str, key: str) -> IdempotencyKey | None:
        keys = tables.idempotency_keys
        query = select(keys).where(keys.c.owner == rows.clean(owner), keys.c.key == rows.clean(key))
        row = self._connection.execute(query).one_or_none()
        return IdempotencyKey(*row) if row else None

    def counts(self) -> Counts:
        kept = packages.c.state.in_(sorted(KEPT_STATES))
        sums = select(
            func.coalesce(func.sum(packages.c.files), 0), func.coalesce(func.sum(packages.c.bytes), 0)
        )
        files, size = self._connection.execute(sums.where(kept)).one()
        return Counts(
            packages=self._tally(packages.c.state),
            jobs=self._tally(jobs.c.state),
            copies=self._tally(tables.copies.c.state),
            outbox=self._tally(tables.outbox.c.topic),
            files=int(files),
            bytes=int(size),
        )

    def _tally(self, column: ColumnElement[str]) -> dict[str, int]:
        query = select(column, func.count()).group_by(column).order_by(column)
        return {str(value): int(number) for value, number in self._connection.execute(query)}
