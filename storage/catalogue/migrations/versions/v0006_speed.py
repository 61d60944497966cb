"""Indexes that the busiest questions need.

Revision ID: 0006
"""

from alembic import op
from sqlalchemy import text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

REJECTED = text("state = 'rejected'")


def upgrade() -> None:
    """Add them. Not by the name of a source, which may be too long for an index of PostgreSQL."""
    op.create_index(
        "packages_rejected",
        "packages",
        ["owner", "created", "id"],
        sqlite_where=REJECTED,
        postgresql_where=REJECTED,
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_index("packages_rejected", "packages")
