"""INSERT with ON CONFLICT, as each database says it."""

from functools import cache
from typing import Any


@cache
def upsert(dialect: str) -> Any:
    """Return the function of SQLAlchemy that makes an INSERT with ``on_conflict_do_…`` for `dialect`.

    A dialect is loaded when it is first needed: PostgreSQL's, with all drivers, takes a tenth of a second.
    """
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as into_postgresql  # noqa: PLC0415  # start-up time

        return into_postgresql
    from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415  # as above

    return insert
