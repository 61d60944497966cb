"""Who made a token, which tokens a restore has suspended, and which entries of logs are ours.

Revision ID: 0007
"""

from alembic import op
from sqlalchemy import Boolean, Column, Text
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


def downgrade() -> None:
    """Take them away."""
    op.drop_table("log_entries")
    op.drop_column("tokens", "suspended")
    op.drop_column("tokens", "made_by")
