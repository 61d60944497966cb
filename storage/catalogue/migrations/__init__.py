"""The history of the catalogue's tables, run from code by Alembic.

A new revision is a file ``versions/vNNNN_what.py``, written by hand, self-contained (it never imports
`tables`, which moves on), and good for SQLite and PostgreSQL. `HEAD` names the newest. Tests compare the
result with `tables`, and with what `create` makes.
"""

from typing import Any

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, text

from packages.errors import Refused

HEAD = "0010"
NAMES = {
    "pk": "%(table_name)s_key",
    "fk": "%(table_name)s_%(column_0_name)s_refers",
    "uq": "%(table_name)s_%(column_0_name)s_once",
}
"""How constraints are called, so that a later revision can name them."""
_REVISION = "alembic_version"
_LOCK = 0x686F6C64  # any number, the same for all: "hold"


def revision(connection: Connection) -> str | None:
    """Return the revision of the database's tables, or None for a database without any."""
    if not inspect(connection).has_table(_REVISION):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return None if found is None else str(found)


def is_empty(connection: Connection) -> bool:
    """Tell whether the database has no tables at all."""
    return not inspect(connection).get_table_names()


def create(connection: Connection, metadata: MetaData) -> None:
    """Make the tables of an empty database as they are at `HEAD`, without walking through their history.

    Inside the connection's transaction. The same tables as `upgrade` makes, in a fifth of its time: Alembic
    alone takes a third of a second to import.
    """
    version = Table(
        _REVISION,
        MetaData(),
        Column("version_num", String(32), nullable=False),
        PrimaryKeyConstraint("version_num", name=f"{_REVISION}_pkc"),  # as Alembic calls it
    )
    metadata.create_all(connection, checkfirst=False)
    version.create(connection)
    connection.execute(version.insert().values(version_num=HEAD))


def upgrade(connection: Connection, target: str = "head") -> None:
    """Run what is missing up to `target`, inside the connection's transaction; again is a no-op.

    Raises Refused for a database that a newer release has made.
    """
    # Alembic takes a third of a second to import; most starts have nothing to migrate.
    from alembic.config import Config  # noqa: PLC0415  # see above
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415  # see above
    from alembic.script import ScriptDirectory  # noqa: PLC0415  # see above

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = Config()
    config.set_main_option("script_location", "storage.catalogue:migrations")
    script = ScriptDirectory.from_config(config)
    known = {each.revision for each in script.walk_revisions()}
    present = revision(connection)
    if present is not None and present not in known:
        raise Refused(
            f"a newer Holdfast has made this catalogue (its tables are at {present}).",
            hint="Use that release; or set this database aside, then make it anew: holdfast rebuild",
        )

    def steps(found: Any, _context: Any) -> Any:
        return script._upgrade_revs(target, found)  # noqa: SLF001  # so do Alembic's own commands

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(connection=connection, target_metadata=MetaData(naming_convention=NAMES))
        environment.run_migrations()
