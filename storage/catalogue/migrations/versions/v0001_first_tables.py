"""The first tables.

Revision ID: 0001
"""

from typing import Any

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

EXACT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
# SQLite counts up only in a column that is exactly INTEGER PRIMARY KEY.
NUMBER = BigInteger().with_variant(Integer(), "sqlite")
OPEN_JOBS = text("state IN ('queued', 'running', 'waiting', 'failed')")
ENDED_FILES = text("until IS NOT NULL")

_TABLES = (
    "archive",
    "people",
    "tokens",
    "packages",
    "versions",
    "formats",
    "files",
    "jobs",
    "steps",
    "findings",
    "events",
    "copies",
    "pids",
    "outbox",
    "idempotency_keys",
)


def _text(name: str, *, required: bool = True) -> Column[Any]:
    return Column(name, EXACT, nullable=not required)


def _key(name: str) -> Column[str]:
    return Column(name, EXACT, primary_key=True)


def _package(*, primary_key: bool = False) -> Column[str]:
    refers = ForeignKey("packages.id", ondelete="CASCADE")
    return Column("package_id", EXACT, refers, primary_key=primary_key, nullable=False)


def _job() -> Column[str]:
    return Column("job_id", EXACT, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)


def _number(name: str = "number") -> Column[int]:
    return Column(name, NUMBER, Identity(), primary_key=True)


def _make_archive() -> None:
    op.create_table(
        "archive",
        _key("name"),
        _text("value"),
    )


def _make_people() -> None:
    op.create_table(
        "people",
        _key("id"),
        _text("name"),
        _text("roles"),
        Column("os_user", EXACT, unique=True),
        _text("created"),
    )


def _make_tokens() -> None:
    op.create_table(
        "tokens",
        _key("id"),
        Column("person_id", EXACT, ForeignKey("people.id"), nullable=False),
        _text("name"),
        _text("role"),
        Column("hash", EXACT, nullable=False, unique=True),
        _text("created"),
        _text("expires", required=False),
        _text("revoked", required=False),
    )


def _make_packages() -> None:
    op.create_table(
        "packages",
        _key("id"),
        _text("owner"),
        _text("title"),
        _text("state"),
        _text("access_metadata"),
        _text("access_files"),
        _text("metadata_until", required=False),
        _text("files_until", required=False),
        _text("fingerprint", required=False),
        Column("version", Integer),
        Column("pid", EXACT, unique=True),
        Column("oai_id", EXACT, unique=True),
        _text("oai_datestamp", required=False),
        Column("files", BigInteger, nullable=False),
        Column("bytes", BigInteger, nullable=False),
        _text("predecessor", required=False),
        _text("source_name"),
        _text("hold", required=False),
        _text("record"),
        _text("job_id", required=False),
        _text("created"),
        _text("updated"),
    )
    op.create_index("packages_by_time", "packages", ["created", "id"])
    op.create_index("packages_by_state", "packages", ["state", "created", "id"])
    op.create_index("packages_by_content", "packages", ["owner", "fingerprint"])
    op.create_index("packages_by_datestamp", "packages", ["oai_datestamp", "id"])


def _make_versions() -> None:
    op.create_table(
        "versions",
        _package(primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        _text("created"),
        _text("message"),
        _text("user"),
        _text("inventory_digest"),
        Column("files", BigInteger, nullable=False),
        Column("bytes", BigInteger, nullable=False),
    )


def _make_formats() -> None:
    op.create_table(
        "formats",
        Column("number", Integer, Identity(), primary_key=True),
        _text("puid", required=False),
        _text("name", required=False),
        _text("version", required=False),
        _text("mime", required=False),
        Column("digest", LargeBinary(16), nullable=False, unique=True),
    )


def _make_files() -> None:
    op.create_table(
        "files",
        _number(),
        Column("package", LargeBinary(16), nullable=False),
        Column("since", Integer, nullable=False),
        Column("until", Integer),
        Column("path_digest", LargeBinary(16), nullable=False),
        _text("path"),
        _text("location", required=False),
        Column("size", BigInteger, nullable=False),
        Column("sha512", LargeBinary(64), nullable=False),
        Column("crc32", BigInteger, nullable=False),
        _text("role"),
        _text("modified", required=False),
        _text("digests", required=False),
        Column("format", Integer, ForeignKey("formats.number"), nullable=False),
        _text("basis", required=False),
        _text("warning", required=False),
        _text("properties", required=False),
        _text("derived_from", required=False),
        Column("packed_offset", BigInteger),
        Column("packed_length", BigInteger),
    )
    op.create_index("files_by_path", "files", ["package", "path_digest", "since"], unique=True)
    op.create_index("files_in_order", "files", ["package", "since", "number"])
    op.create_index(
        "files_ended", "files", ["package", "until"], sqlite_where=ENDED_FILES, postgresql_where=ENDED_FILES
    )


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        _key("id"),
        _text("package_id"),
        _text("kind"),
        Column("target_version", Integer, nullable=False),
        _text("state"),
        _text("step", required=False),
        Column("attempts", Integer, nullable=False),
        _text("not_before", required=False),
        _text("lease_owner", required=False),
        _text("lease_until", required=False),
        Column("fence", BigInteger, nullable=False),
        _text("source"),
        _text("options"),
        _text("reason"),
        _text("created"),
        _text("updated"),
    )
    op.create_index("jobs_by_package", "jobs", ["package_id", "created", "id"])
    op.create_index("jobs_by_state", "jobs", ["state", "created", "id"])
    op.create_index(
        "jobs_open_once",
        "jobs",
        ["package_id"],
        unique=True,
        sqlite_where=OPEN_JOBS,
        postgresql_where=OPEN_JOBS,
    )


def _make_steps() -> None:
    op.create_table(
        "steps",
        _job(),
        _key("name"),
        Column("position", SmallInteger, nullable=False),
        _text("outcome", required=False),
        _text("result"),
        _text("started"),
        _text("ended", required=False),
        _text("message"),
        Column("attempts", Integer, nullable=False),
    )


def _make_findings() -> None:
    op.create_table(
        "findings",
        _number(),
        Column("job_id", EXACT, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
        _text("step"),
        _text("code"),
        _text("severity"),
        _text("path", required=False),
        _text("message"),
        _text("hint"),
    )
    op.create_index("findings_by_job", "findings", ["job_id", "step"])


def _make_events() -> None:
    op.create_table(
        "events",
        _number(),
        Column("id", EXACT, nullable=False, unique=True),
        _package(),
        _text("type"),
        _text("at"),
        _text("outcome"),
        _text("detail"),
        _text("agents"),
        _text("step"),
        _text("note"),
        _text("paths", required=False),
    )
    op.create_index("events_by_package", "events", ["package_id", "number"])


def _make_copies() -> None:
    op.create_table(
        "copies",
        _package(primary_key=True),
        _key("store"),
        Column("version", Integer, nullable=False),
        _text("state"),
        _text("verified", required=False),
        _text("message"),
    )
    op.create_index("copies_by_verified", "copies", ["store", "verified"])


def _make_pids() -> None:
    op.create_table(
        "pids",
        _key("pid"),
        _package(),
        _text("state"),
        _text("target", required=False),
    )
    op.create_index("pids_by_package", "pids", ["package_id"])


def _make_outbox() -> None:
    op.create_table(
        "outbox",
        _number(),
        _text("topic"),
        _text("package_id"),
        _text("created"),
        _text("not_before", required=False),
        Column("attempts", Integer, nullable=False),
        _text("message"),
    )
    op.create_index("outbox_by_topic", "outbox", ["topic", "number"])


def _make_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        _key("owner"),
        _key("key"),
        _text("body"),
        _text("package_id"),
        _text("created"),
    )


def upgrade() -> None:
    """Create every table."""
    _make_archive()
    _make_people()
    _make_tokens()
    _make_packages()
    _make_versions()
    _make_formats()
    _make_files()
    _make_jobs()
    _make_steps()
    _make_findings()
    _make_events()
    _make_copies()
    _make_pids()
    _make_outbox()
    _make_idempotency_keys()


def downgrade() -> None:
    """Drop every table."""
    for name in reversed(_TABLES):
        op.drop_table(name)
