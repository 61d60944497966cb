# ruff: noqa: D102  # the port states what each method owes
"""Runs, reports, alarms, due lists and the chain of what was sealed; see `audit_ports`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)

from packages.errors import Conflict, NotFound
from packages.ledger import KEPT_STATES, CopyRecord, CopyState
from storage.audits import THE_STORE, Alarm, AuditRun, CopyReport, Link, Root, RunState
from storage.catalogue import audit_tables, rows, tables
from storage.catalogue.filing import FileWriting
from storage.ports import ObjectReport, Problem, Verdict

runs, reports, alarms = audit_tables.audit_runs, audit_tables.audit_reports, audit_tables.alarms
roots, links = audit_tables.audit_roots, audit_tables.audit_links
copies, packages, versions = tables.copies, tables.packages, tables.versions

MOST_PROBLEMS = 1000
"""Problems of one copy that the catalogue keeps; the evidence in storage has all of them."""
_CHUNK = 500
_COUNTED = ("intact", "corrupt", "missing", "extra", "unchecked", "bytes")

# Asked for each copy that is read: built once.
_MADE = select(versions.c.number, versions.c.inventory_digest).where(
    versions.c.package_id == bindparam("package")
)
_SEALED = select(roots.c.version, roots.c.digest).where(roots.c.package_id == bindparam("package"))


class AuditReading:
    """What can be asked about audits."""

    _connection: Connection

    def audit_run(self, run_id: str) -> AuditRun:
        exact = self._connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
        if exact is not None:
            return _run_of(exact)
        found: Sequence[Any] = ()
        if run_id:
            begins = runs.c.id.startswith(run_id, autoescape=True)
            found = self._connection.execute(select(runs).where(begins).limit(2)).all()
        if len(found) > 1:
            raise Conflict(f"several audits begin with {rows.clean(run_id)}.", hint="Name more of the id.")
        if not found:
            raise NotFound(f"there is no audit {rows.clean(run_id)}.", hint="See `holdfast audits`.")
        return _run_of(found[0])

    def audit_runs(
        self,
        *,
        state: RunState | None = None,
        after: tuple[str, str] | None = None,
        newest_first: bool = False,
        limit: int = 100,
    ) -> list[AuditRun]:
        key = tuple_(runs.c.started, runs.c.id)
        query = select(runs).limit(limit)
        if newest_first:
            query = query.order_by(runs.c.started.desc(), runs.c.id.desc())
        else:
            query = query.order_by(runs.c.started, runs.c.id)
        if after is not None:
            query = query.where(key < after if newest_first else key > after)
        if state is not None:
            query = query.where(runs.c.state == state)
        return [_run_of(row) for row in self._connection.execute(query)]

    def audit_reports(
        self, run_id: str, *, after: int = 0, problems_only: bool = False, limit: int = 100
    ) -> list[tuple[int, CopyReport]]:
        query = select(reports).where(reports.c.run_id == run_id, reports.c.number > after)
        if problems_only:
            query = query.where(reports.c.problems != "[]")
        query = query.order_by(reports.c.number).limit(limit)
        return [(row.number, _report_of(row)) for row in self._connection.execute(query)]

    def alarms(
        self,
        *,
        stores: Sequence[str] | None = None,
        is_open: bool = True,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> list[Alarm]:
        query = _standing(select(alarms), stores, is_open=is_open)
        if after is not None:
            query = query.where(tuple_(alarms.c.raised, alarms.c.id) > after)
        query = query.order_by(alarms.c.raised, alarms.c.id).limit(limit)
        return [_alarm_of(row) for row in self._connection.execute(query)]

    def has_alarm(self, package_id: str, store: str) -> bool:
        query = select(alarms.c.id).where(
            audit_tables.OPEN_ALARMS, alarms.c.package_id == package_id, alarms.c.store == store
        )
        return self._connection.execute(query).first() is not None

    def alarm_count(self, stores: Sequence[str] | None = None) -> Mapping[str, int]:
        query = _standing(select(alarms.c.verdict, func.count()), stores, is_open=True)
        counted = self._connection.execute(query.group_by(alarms.c.verdict))
        return {verdict: int(number) for verdict, number in counted}

    def copies_due(
        self,
        store: str,
        before: str | None,
        *,
        ahead: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 100,
    ) -> list[CopyRecord]:
        found: list[CopyRecord] = []
        seen, last = after if after is not None else ("", "")
        if not seen:  # several queries, because an index serves each
            never = _kept_copies(store).where(copies.c.verified.is_(None), copies.c.package_id > last)
            never = never.order_by(copies.c.package_id).limit(limit)
            found = [rows.copy_of(row) for row in self._connection.execute(never)]
            last = ""
        if len(found) < limit:
            behind = or_(
                copies.c.verified > seen, and_(copies.c.verified == seen, copies.c.package_id > last)
            )
            read = _kept_copies(store).where(copies.c.verified.is_not(None), behind)
            read = read.order_by(copies.c.verified, copies.c.package_id)
            parts = [read] if before is None else [read.where(copies.c.verified < before)]
            if before is not None and ahead is not None:
                parts.append(read.where(copies.c.verified > max(before, ahead)))
            for part in parts:
                query = part.limit(limit - len(found))
                found += [rows.copy_of(row) for row in self._connection.execute(query)]
        return found

    def roots_of(self, package_id: str) -> Mapping[int, str]:
        known = {row[0]: row[1] for row in self._connection.execute(_MADE, {"package": package_id})}
        sealed = self.sealed_roots(package_id) if known else {}
        return known | {number: digest for number, digest in sealed.items() if number in known}

    def sealed_roots(self, package_id: str) -> Mapping[int, str]:
        return {row[0]: row[1] for row in self._connection.execute(_SEALED, {"package": package_id})}

    def roots_unsealed(self, limit: int = 1000) -> list[Root]:
        same = and_(roots.c.package_id == versions.c.package_id, roots.c.version == versions.c.number)
        query = (
            select(versions.c.package_id, versions.c.number, versions.c.inventory_digest)
            .outerjoin(roots, same)
            .where(roots.c.package_id.is_(None))
            .order_by(versions.c.package_id, versions.c.number)
            .limit(limit)
        )
        return [Root(*row) for row in self._connection.execute(query)]

    def last_link(self) -> Link | None:
        query = select(links).order_by(links.c.number.desc()).limit(1)
        row = self._connection.execute(query).one_or_none()
        return Link(*row) if row else None

    def link(self, number: int) -> Link | None:
        row = self._connection.execute(select(links).where(links.c.number == number)).one_or_none()
        return Link(*row) if row else None


class AuditWriting(FileWriting, AuditReading):
    """What can be recorded about audits."""

    def put_audit_run(self, run: AuditRun) -> None:
        values = {each.name: getattr(run, each.name) for each in runs.c} | {
            "state": str(run.state),
            "scope": rows.to_json(dict(run.scope)),
            "counts": rows.to_json(dict(run.counts)),
            "message": rows.clean(run.message),
            "person": rows.clean(run.person),
        }
        self._connection.execute(self._add(runs, instead=("id",)), values)

    def drop_audit_run(self, run_id: str) -> None:
        self._connection.execute(delete(runs).where(runs.c.id == run_id))

    def add_audit_reports(self, run: AuditRun, reports_of_it: Iterable[CopyReport]) -> None:
        new = {each.id: each for each in reports_of_it}
        ids = list(new)
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            known = self._connection.execute(select(reports.c.id).where(reports.c.id.in_(chunk)))
            for row in known.scalars().all():
                del new[row]
        if not new:
            return
        self._connection.execute(reports.insert(), [_report_row(run.id, each) for each in new.values()])
        open_ones = self._open_alarms({each.package_id for each in new.values()})
        for each in new.values():
            self._alarm(run, each, open_ones)

    def add_link(self, link: Link, sealed: Iterable[Root]) -> list[Root]:
        known = self.link(link.number)
        if known is not None and known.digest != link.digest:
            raise Conflict(f"link {link.number} of the chain of evidence is known with another digest.")
        if known is None:
            self._connection.execute(links.insert(), asdict(link))
        roots_sealed = list(sealed)
        if not roots_sealed:
            return []
        values = [asdict(each) for each in roots_sealed]
        self._connection.execute(self._add(roots, keep=("package_id", "version")), values)
        known_as = [replace(root, digest=self._sealed(root)) for root in roots_sealed]
        return [known for known, root in zip(known_as, roots_sealed, strict=True) if known != root]

    def _sealed(self, root: Root) -> str:
        query = select(roots.c.digest).where(
            roots.c.package_id == root.package_id, roots.c.version == root.version
        )
        return str(self._connection.execute(query).scalar_one())

    def _open_alarms(self, package_ids: Iterable[str]) -> dict[tuple[str, str], Alarm]:
        found = {}
        ids = sorted(package_ids)
        for start in range(0, len(ids), _CHUNK):
            query = select(alarms).where(
                audit_tables.OPEN_ALARMS, alarms.c.package_id.in_(ids[start : start + _CHUNK])
            )
            for row in self._connection.execute(query):
                found[row.package_id, row.store] = _alarm_of(row)
        return found

    def _alarm(self, run: AuditRun, report: CopyReport, open_ones: dict[tuple[str, str], Alarm]) -> None:
        """Raise, renew or end the alarm of one copy."""
        key = (report.package_id, report.found.store)
        held, verdict = open_ones.get(key), report.found.verdict
        if verdict is Verdict.INTACT:
            if held is not None:
                how = str(run.scope.get("kind", "audit"))
                self._connection.execute(
                    _CHANGE_ALARM.values(mended=report.at, mended_by=rows.clean(run.person), how=how),
                    {"which": held.id},
                )
                del open_ones[key]
            return
        said = {
            "verdict": str(verdict),
            "seen": report.at,
            "problems": _number_of_problems(report.found),
            "message": _told(report.found),
            "quarantined": report.quarantined,
        }
        if held is None:
            values: dict[str, Any] = {
                "id": report.id,
                "package_id": key[0],
                "store": key[1],
                "raised": report.at,
            }
            values |= {"run_id": run.id, "mended": None, "mended_by": None, "how": None} | said
            self._connection.execute(alarms.insert(), values)
            open_ones[key] = Alarm(**values | {"verdict": verdict})
        elif verdict is not Verdict.UNCHECKED or held.verdict is Verdict.UNCHECKED:
            self._connection.execute(_CHANGE_ALARM.values(**said), {"which": held.id})


_CHANGE_ALARM = update(alarms).where(alarms.c.id == bindparam("which"))


def _standing(query: "Select[Any]", stores: Sequence[str] | None, *, is_open: bool) -> "Select[Any]":
    kept = select(packages.c.id).where(packages.c.id == alarms.c.package_id, _is_kept())
    query = query.where(or_(alarms.c.package_id == THE_STORE, kept.exists()))
    if stores is not None:
        query = query.where(alarms.c.store.in_(list(stores)))
    return query.where(audit_tables.OPEN_ALARMS) if is_open else query


def _kept_copies(store: str) -> "Select[Any]":
    joined = select(copies).join(packages, packages.c.id == copies.c.package_id)
    return joined.where(copies.c.store == store, copies.c.state != CopyState.PENDING, _is_kept())


def _is_kept() -> ColumnElement[bool]:
    return packages.c.state.in_(sorted(KEPT_STATES))


def _number_of_problems(found: ObjectReport) -> int:
    return found.corrupt + found.missing + found.extra + found.unchecked


def _told(found: ObjectReport) -> str:
    """Say the first problems in a line."""
    told = [f"{each.path or 'the object'}: {each.verdict}" for each in found.problems[:5]]
    more = _number_of_problems(found) - len(told)
    return rows.clean("; ".join(told) + (f"; and {more} more" if more > 0 else ""))


def _run_of(row: Any) -> AuditRun:
    said = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it
    said |= {"scope": rows.from_json(said["scope"]), "counts": rows.from_json(said["counts"])}
    return AuditRun(**said | {"state": RunState(said["state"])})


def _alarm_of(row: Any) -> Alarm:
    said = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it
    return Alarm(**said | {"verdict": Verdict(said["verdict"]), "quarantined": bool(said["quarantined"])})


def _report_row(run_id: str, report: CopyReport) -> dict[str, Any]:
    found = report.found
    problems = [
        [rows.clean(each.path), each.verdict, each.expected, each.found and rows.clean(each.found)]
        for each in found.problems[:MOST_PROBLEMS]
    ]
    return {
        "id": report.id,
        "run_id": run_id,
        "package_id": report.package_id,
        "store": found.store,
        "at": report.at,
        **{name: getattr(found, name) for name in _COUNTED},
        "problems": rows.to_json(problems),
        "quarantined": report.quarantined,
    }


def _report_of(row: Any) -> CopyReport:
    problems = tuple(
        Problem(path, Verdict(verdict), expected, found)
        for path, verdict, expected, found in rows.from_json(row.problems)
    )
    counts = {name: getattr(row, name) for name in _COUNTED}
    found = ObjectReport(object_id=row.package_id, store=row.store, problems=problems, **counts)
    return CopyReport(row.id, row.package_id, row.at, found, bool(row.quarantined))
