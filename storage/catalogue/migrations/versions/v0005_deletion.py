"""What deletion needs: requests, decisions and what became of each package.

Revision ID: 0005
"""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Text, text
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

EXACT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
OPEN = text("state IN ('requested', 'approved', 'partly_deleted')")


def upgrade() -> None:
    """Add it."""
    op.create_table(
        "deletions",
        Column("id", EXACT, primary_key=True),
        Column("reason", EXACT, nullable=False),
        Column("category", EXACT, nullable=False),
        Column("requested_by", EXACT, nullable=False),
        Column("requested_name", EXACT, nullable=False),
        Column("requested", EXACT, nullable=False),
        Column("state", EXACT, nullable=False),
        Column("decided_by", EXACT, nullable=True),
        Column("decided_name", EXACT, nullable=True),
        Column("decided", EXACT, nullable=True),
        Column("decision", EXACT, nullable=False),
    )
    op.create_index("deletions_by_time", "deletions", ["requested", "id"])
    op.create_table(
        "deletion_items",
        Column("deletion_id", EXACT, ForeignKey("deletions.id", ondelete="CASCADE"), primary_key=True),
        Column("package_id", EXACT, primary_key=True),
        Column("version", Integer, nullable=False),
        Column("files", BigInteger, nullable=False),
        Column("bytes", BigInteger, nullable=False),
        Column("copies", Integer, nullable=False),
        Column("updated", EXACT, nullable=False),
        Column("state", EXACT, nullable=False),
        Column("message", EXACT, nullable=False),
    )
    op.create_index(
        "deletion_items_open_once",
        "deletion_items",
        ["package_id"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index("deletion_items_by_package", "deletion_items", ["package_id"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("deletion_items")
    op.drop_table("deletions")
