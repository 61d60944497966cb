"""What copies need: stores that are known, with their life, and which copies are to be made.

Revision ID: 0003
"""

from alembic import op
from sqlalchemy import Column, Text, text
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

EXACT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
PENDING = text("state = 'pending'")


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "stores",
        Column("name", EXACT, primary_key=True),
        Column("url", EXACT, nullable=False),
        Column("state", EXACT, nullable=False),
        Column("since", EXACT, nullable=False),
        Column("person", EXACT, nullable=False),
        Column("reason", EXACT, nullable=False),
        Column("worker", EXACT, nullable=True),
        Column("worker_since", EXACT, nullable=True),
        Column("worker_until", EXACT, nullable=True),
    )
    op.create_index(
        "copies_to_make", "copies", ["store", "package_id"], sqlite_where=PENDING, postgresql_where=PENDING
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_index("copies_to_make", "copies")
    op.drop_table("stores")
