"""What audits need: runs with their reports, alarms, and the chain of what was sealed.

Revision ID: 0004
"""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Identity, Integer, Text, text
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

EXACT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
NUMBER = BigInteger().with_variant(Integer(), "sqlite")
OPEN = text("mended IS NULL")
AUDITS = text("step = 'audit'")
TABLES = ("audit_links", "audit_roots", "alarms", "audit_reports", "audit_runs")


def upgrade() -> None:
    """Add them; nobody asks the events any more what audits found."""
    op.drop_index("events_of_audits", "events")
    op.create_table(
        "audit_runs",
        Column("id", EXACT, primary_key=True),
        *_texts("person_id", "person", "started", "state"),
        Column("ended", EXACT),
        *_texts("scope"),
        Column("budget", BigInteger),
        *_numbers("copies", "bytes"),
        *_texts("counts", "message", "owner"),
    )
    op.create_index("audit_runs_by_time", "audit_runs", ["started", "id"])
    op.create_table(
        "audit_reports",
        Column("number", NUMBER, Identity(), primary_key=True),
        Column("id", EXACT, nullable=False, unique=True),
        Column("run_id", EXACT, ForeignKey("audit_runs.id", ondelete="CASCADE"), nullable=False),
        *_texts("package_id", "store", "at"),
        *_numbers("intact", "corrupt", "missing", "extra", "unchecked", "bytes"),
        *_texts("problems"),
        Column("quarantined", Boolean, nullable=False),
    )
    op.create_index("audit_reports_by_run", "audit_reports", ["run_id", "number"])
    op.create_table(
        "alarms",
        Column("id", EXACT, primary_key=True),
        *_texts("package_id", "store", "verdict", "raised", "seen", "run_id"),
        *_numbers("problems"),
        *_texts("message"),
        Column("quarantined", Boolean, nullable=False),
        *(Column(name, EXACT) for name in ("mended", "mended_by", "how")),
    )
    op.create_index("alarms_by_time", "alarms", ["raised", "id"])
    columns = ["package_id", "store"]
    op.create_index(
        "alarms_open_once", "alarms", columns, unique=True, sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_table(
        "audit_roots",
        Column("package_id", EXACT, primary_key=True),
        Column("version", Integer, primary_key=True, autoincrement=False),
        *_texts("digest"),
    )
    op.create_table(
        "audit_links",
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        *_texts("digest", "at"),
    )


def downgrade() -> None:
    """Take them away."""
    for name in TABLES:
        op.drop_table(name)
    op.create_index("events_of_audits", "events", ["number"], sqlite_where=AUDITS, postgresql_where=AUDITS)


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, EXACT, nullable=False) for name in names]


def _numbers(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False) for name in names]
