"""Who made a token, which tokens a restore has suspended, which entries of logs are ours, numbers given once.

Revision ID: 0007
"""

from alembic import op
from sqlalchemy import Boolean, Column, Identity, Integer, Text
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

EXACT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Add them. Entries written before are known again by their events (`archival_storage.log_trust`)."""
    op.add_column("tokens", Column("made_by", EXACT, nullable=True))
    op.add_column("tokens", Column("suspended", EXACT, nullable=True))
    op.create_table(
        "log_entries",
        Column("package_id", EXACT, primary_key=True),
        Column("digest", EXACT, primary_key=True),
        Column("at", EXACT, nullable=False),
        Column("is_written", Boolean, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        _make_outbox_again(once=True)


def downgrade() -> None:
    """Take them away."""
    if op.get_bind().dialect.name == "sqlite":
        _make_outbox_again(once=False)
    op.drop_table("log_entries")
    op.drop_column("tokens", "suspended")
    op.drop_column("tokens", "made_by")


def _make_outbox_again(*, once: bool) -> None:
    """Let SQLite give each number of the outbox `once`, or again when its row is gone."""
    op.drop_index("outbox_by_topic", "outbox")
    op.rename_table("outbox", "outbox_before")
    op.create_table(
        "outbox",
        Column("number", Integer, Identity(), primary_key=True),
        Column("topic", EXACT, nullable=False),
        Column("package_id", EXACT, nullable=False),
        Column("created", EXACT, nullable=False),
        Column("not_before", EXACT, nullable=True),
        Column("attempts", Integer, nullable=False),
        Column("message", EXACT, nullable=False),
        sqlite_autoincrement=once,
    )
    op.execute("INSERT INTO outbox SELECT * FROM outbox_before")
    op.drop_table("outbox_before")
    op.create_index("outbox_by_topic", "outbox", ["topic", "number"])
