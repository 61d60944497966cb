# ruff: noqa: D102  # the port states what each method owes
"""Events of the whole archive in the order of their recording, and none of them passed over."""

import time

from sqlalchemy import Connection, func, select, text

from packages.model import Event
from storage.catalogue import rows, tables

events = tables.events

FEED_LOCK = 0x65766E74  # any number, the same for all: "evnt"
"""On PostgreSQL, whoever records events shares this lock until the commit; see `event_horizon`."""
LOOK_AGAIN = 0.005
_SHARE = select(func.pg_advisory_xact_lock_shared(FEED_LOCK))
_COUNTER = text("SELECT pg_sequence_last_value(pg_get_serial_sequence('events', 'number')::regclass)")
_RECORDING = text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND classid = 0 AND objid = :lock AND database = (SELECT oid FROM pg_database WHERE datname ="
    " current_database())"
)


def share_feed_lock(connection: Connection) -> None:
    """Say, before events get their numbers, that a transaction is about to record some.

    Those who share the lock do not wait for each other, nor does anybody who reads wait to get it.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_SHARE)


class Following:
    """The feed of events; see `door_ports`."""

    _connection: Connection

    def event_horizon(self, *, patience: float = 2.0) -> int | None:
        if self._connection.dialect.name != "postgresql":  # one writer: numbers are in the order of commits
            return int(self._connection.execute(select(func.max(events.c.number))).scalar_one() or 0)
        horizon = self._connection.execute(_COUNTER).scalar_one() or 0
        lock = {"lock": FEED_LOCK}
        early = set(self._connection.execute(_RECORDING, lock).scalars())
        until = time.monotonic() + patience
        while early:
            if time.monotonic() > until:
                return None
            time.sleep(LOOK_AGAIN)
            early &= set(self._connection.execute(_RECORDING, lock).scalars())
        return int(horizon)

    def event_feed(self, *, after: int, until: int, limit: int = 100) -> list[tuple[int, str, Event]]:
        query = select(events).where(events.c.number > after, events.c.number <= until)
        query = query.order_by(events.c.number).limit(limit)
        return [(row.number, row.package_id, rows.event_of(row)) for row in self._connection.execute(query)]

    def has_event(self, package_id: str, event_id: str) -> bool:
        query = select(events.c.number).where(events.c.package_id == package_id, events.c.id == event_id)
        return self._connection.execute(query).first() is not None
