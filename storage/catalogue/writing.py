# ruff: noqa: D102  # the port states what each method owes
"""What can be changed in the catalogue: packages and what hangs on them; see `working` for jobs."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import bindparam, delete, func, or_, select, update

from packages.errors import Conflict, NotFound
from packages.ledger import (
    CopyRecord,
    CopyState,
    IdempotencyKey,
    Package,
    PackageState,
    Person,
    PidRecord,
    PidState,
    Token,
    VersionRecord,
)
from packages.model import Event, now
from storage.catalogue import audit_tables, rows, tables
from storage.catalogue.auditing import AuditWriting
from storage.catalogue.backing_up import BackupWriting
from storage.catalogue.deleting import DeletionWriting
from storage.catalogue.entries import LogWriting
from storage.catalogue.filing import insert_or
from storage.catalogue.following import share_feed_lock
from storage.catalogue.harvesting import Dating
from storage.catalogue.prepared import Prepared
from storage.catalogue.reading import Reading, written_pid
from storage.catalogue.storing import StoreWriting
from storage.catalogue.upserting import upsert

_NEVER_ARCHIVED = (PackageState.SUBMITTED, PackageState.REJECTED, PackageState.CANCELLED)
_CHUNK = 1000

packages, tokens, copies = tables.packages, tables.tokens, tables.copies

# Made once: with each package they would take longer to build than to run.
_CHANGE = update(packages).where(packages.c.id == bindparam("which"))
_CHANGE_IF = _CHANGE.where(packages.c.updated == bindparam("before"))
_FLIP = Prepared(
    update(packages)
    .where(packages.c.id == bindparam("which"))
    .where(func.coalesce(packages.c.version, 0) == bindparam("before")),
    columns=("version", "files", "bytes", "updated"),
)
_CHANGE_PID = update(tables.pids).where(tables.pids.c.pid == bindparam("which"))
_ADD_PACKAGE, _ADD_VERSION, _ADD_PID, _ADD_OUTBOX = (
    Prepared(each.insert(), columns=[column.name for column in each.c if column.name not in without])
    for each, without in (
        (packages, {"job_id"}),
        (tables.versions, ()),
        (tables.pids, ()),
        (tables.outbox, {"number", "not_before"}),
    )
)
_ADD_EVENTS = Prepared(
    lambda dialect: upsert(dialect)(tables.events).on_conflict_do_nothing(index_elements=["id"]),
    columns=[each.name for each in tables.events.c if each.name != "number"],
)
_SET_COPY = Prepared(lambda dialect: insert_or(dialect, copies, ("package_id", "store"), ()))


@cache
def _changing(names: tuple[str, ...], *, unless_changed: bool) -> Prepared:
    return Prepared(_CHANGE_IF if unless_changed else _CHANGE, columns=names)


@cache
def _changing_pid(names: tuple[str, ...]) -> Prepared:
    return Prepared(_CHANGE_PID, columns=names)


class RecordWriting(Reading, Dating, AuditWriting, LogWriting, DeletionWriting, StoreWriting, BackupWriting):
    """Writes packages, people, copies, identifiers, events, outbox; see `port.WriteSession`."""

    def set_archive_id(self, archive_id: str) -> None:
        known = self.archive_id()
        if known is None:
            self._connection.execute(tables.archive.insert(), {"name": "id", "value": archive_id})
        elif known != archive_id:
            raise Conflict(f"this catalogue belongs to the archive {known}, not to {archive_id}.")

    # --- people ---

    def add_person(self, person: Person) -> None:
        values = {
            "id": person.id,
            "name": rows.clean(person.name),
            "roles": " ".join(sorted(person.roles)),
            "os_user": person.os_user,
            "created": person.created,
        }
        self._connection.execute(self._add(tables.people, instead=("id",)), values)

    def add_token(self, token: Token) -> None:
        values = {each.name: getattr(token, each.name) for each in tokens.c}
        self._connection.execute(tokens.insert(), values | {"name": rows.clean(token.name)})

    def revoke_token(self, token_id: str, at: str) -> None:
        chosen = self._token_named(token_id)
        self._connection.execute(
            update(tokens).where(tokens.c.id == chosen, tokens.c.revoked.is_(None)).values(revoked=at)
        )

    def suspend_tokens(self, token_ids: Iterable[str], at: str) -> None:
        chosen = tokens.c.id.in_(sorted(token_ids))
        self._connection.execute(update(tokens).where(chosen).values(suspended=at))

    def confirm_token(self, token_id: str) -> None:
        chosen = tokens.c.id == self._token_named(token_id)
        self._connection.execute(update(tokens).where(chosen).values(suspended=None))

    def _token_named(self, token_id: str) -> str:
        query = select(tokens.c.id)
        query = query.where(or_(tokens.c.id == token_id, tokens.c.name == token_id))
        found = self._connection.execute(query).all()
        found = [each for each in found if each.id == token_id] or found
        if not found:
            raise NotFound(f"there is no token “{rows.clean(token_id)}”.")
        if len(found) > 1:
            named = ", ".join(each.id for each in found)
            raise Conflict(f"several tokens are called “{token_id}”: {named}.", hint="Name one by its id.")
        return str(found[0].id)

    # --- packages ---

    def same_content(self, owner: str, fingerprint: str) -> str | None:
        # Two who ask at once must not both hear "no": SQLite has one writer, PostgreSQL needs a lock for it.
        if self._connection.dialect.name == "postgresql":
            lock = func.pg_advisory_xact_lock(func.hashtextextended(f"{rows.clean(owner)} {fingerprint}", 0))
            self._connection.execute(select(lock))
        return super().same_content(owner, fingerprint)

    def add_package(self, package: Package) -> None:
        rows.package_key(package.id)
        _ADD_PACKAGE.add(self._connection, [rows.package_row(package)])

    def put_package(self, package: Package) -> None:
        rows.package_key(package.id)
        jobs = tables.jobs
        newest = (
            select(jobs.c.id)
            .where(jobs.c.package_id == package.id)
            .order_by(jobs.c.created.desc(), jobs.c.id.desc())
            .limit(1)
        )
        job_id = self._connection.execute(newest).scalar_one_or_none()
        values = rows.package_row(package) | {"job_id": job_id}
        self._connection.execute(self._add(packages, instead=("id",)), values)

    def update_package(self, package_id: str, *, if_updated: str | None = None, **changes: Any) -> None:
        values = {"updated": now()} | rows.package_values(changes)
        given = values | {"which": package_id, "before": if_updated}
        statement = _changing(tuple(values), unless_changed=if_updated is not None)
        if statement.change(self._connection, given) == 0:
            self.package(package_id)  # raises NotFound
            raise Conflict(
                f"package {package_id} has been changed in the meantime.", hint="Read it again, then repeat."
            )

    def publish_version(self, version: VersionRecord) -> None:
        known = self._visible(version.package_id, version.number)
        if known is not None:
            if known != version:
                raise Conflict(f"package {version.package_id} has another version {version.number} already.")
            return
        values = {each.name: getattr(version, each.name) for each in tables.versions.c}
        values |= {"message": rows.clean(version.message), "user": rows.clean(version.user)}
        flipped = {
            "which": version.package_id,
            "before": version.number - 1,
            "version": version.number,
            "files": version.files,
            "bytes": version.bytes,
            "updated": now(),
        }
        if _FLIP.change(self._connection, flipped) == 0:
            head = self.package(version.package_id).version
            raise Conflict(
                f"version {version.number} of package {version.package_id} cannot follow version {head}."
            )
        _ADD_VERSION.add(self._connection, [values])

    # --- what hangs on a package ---

    def set_copy(self, copy: CopyRecord) -> None:
        values = {each.name: getattr(copy, each.name) for each in copies.c}
        values["message"] = rows.clean(copy.message)
        _SET_COPY.add(self._connection, [values])

    def set_copy_state(
        self, package_id: str, store: str, state: CopyState, verified: str | None, message: str
    ) -> None:
        values = {"state": state, "message": rows.clean(message)}
        if verified is not None:
            values["verified"] = verified
        statement = update(copies).where(copies.c.package_id == package_id, copies.c.store == store)
        if self._connection.execute(statement.values(values)).rowcount == 0:
            raise NotFound(f"no copy of package {package_id} in the store “{store}” is known.")

    def reserve_pid(self, pid: str, package_id: str) -> None:
        pid = written_pid(pid)
        known = self.pid(pid)
        if known is None:
            record = PidRecord(pid, package_id)
            values = {each.name: getattr(record, each.name) for each in tables.pids.c}
            _ADD_PID.add(self._connection, [values])
        elif known.package_id != package_id:
            raise Conflict(f"{pid} is the identifier of package {known.package_id}, not of {package_id}.")

    def set_pid_state(self, pid: str, state: PidState, target: str | None = None) -> None:
        values = {"state": str(state)} | ({"target": target} if target is not None else {})
        given = values | {"which": written_pid(pid)}
        if _changing_pid(tuple(values)).change(self._connection, given) == 0:
            raise NotFound(f"the identifier “{rows.clean(pid)}” is not known.")

    def add_events(self, package_id: str, events: Iterable[Event]) -> None:
        values = [rows.event_row(package_id, each) for each in events]
        if values:
            share_feed_lock(self._connection)
            _ADD_EVENTS.add(self._connection, values)

    # --- outbox, keys ---

    def enqueue(self, topic: str, package_id: str) -> None:
        values = {"topic": topic, "package_id": package_id, "created": now(), "attempts": 0, "message": ""}
        _ADD_OUTBOX.add(self._connection, [values])

    def outbox_done(self, ids: Iterable[int]) -> None:
        for chunk in _chunks(ids):
            self._connection.execute(delete(tables.outbox).where(tables.outbox.c.number.in_(chunk)))

    def outbox_failed(self, ids: Iterable[int], message: str, not_before: str | None = None) -> None:
        box = tables.outbox
        for chunk in _chunks(ids):
            statement = update(box).where(box.c.number.in_(chunk))
            self._connection.execute(
                statement.values(
                    attempts=box.c.attempts + 1, message=rows.clean(message), not_before=not_before
                )
            )

    def add_idempotency_key(self, key: IdempotencyKey) -> None:
        values = {each.name: getattr(key, each.name) for each in tables.idempotency_keys.c}
        values |= {"owner": rows.clean(key.owner), "key": rows.clean(key.key)}
        self._connection.execute(tables.idempotency_keys.insert(), values)

    # --- rebuilding ---

    def clear_for_rebuild(self) -> None:
        run = self._connection.execute
        archived = packages.c.state.not_in(_NEVER_ARCHIVED)
        mine = select(packages.c.id).where(archived)
        run(delete(tables.outbox).where(tables.outbox.c.package_id.in_(mine)))
        run(delete(tables.files))
        run(delete(tables.deletions))  # their items go with them
        run(delete(audit_tables.alarms))
        run(delete(audit_tables.audit_runs))  # and their reports
        run(delete(packages).where(archived))  # versions, copies, PIDs and events go with them

    def order_events(self) -> None:
        events, run = tables.events, self._connection.execute
        archived = select(packages.c.id).where(packages.c.state.not_in(_NEVER_ARCHIVED))
        # They change places among the numbers that they have, by way of negative ones: no two are ever alike.
        run(update(events).where(events.c.package_id.in_(archived)).values(number=-events.c.number))
        old, rank = -events.c.number, func.row_number()
        moved = events.c.number < 0
        timed = select(events.c.id, rank.over(order_by=(events.c.at, old)).label("place")).where(moved)
        places = select(old.label("number"), rank.over(order_by=old).label("place")).where(moved)
        by_time, free = timed.subquery("by_time"), places.subquery("free")
        to = select(by_time.c.id, free.c.number).join(free, free.c.place == by_time.c.place).subquery("to_")
        run(update(events).where(events.c.id == to.c.id).values(number=to.c.number))


def _chunks(ids: Iterable[int]) -> Iterable[list[int]]:
    numbers = list(ids)
    return (numbers[start : start + _CHUNK] for start in range(0, len(numbers), _CHUNK))
