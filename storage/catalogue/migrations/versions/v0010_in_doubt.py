"""An index of the entries of logs that are in doubt, which are few or none: pages ask for them.

Revision ID: 0010
"""

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

DOUBTED = text("is_doubted")


def upgrade() -> None:
    """Add it."""
    op.create_index(
        "log_entries_doubted",
        "log_entries",
        ["package_id"],
        sqlite_where=DOUBTED,
        postgresql_where=DOUBTED,
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_index("log_entries_doubted", "log_entries")
