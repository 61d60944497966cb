"""An index of the entries of logs by time: `reconcile` asks for the new ones every ten minutes.

Revision ID: 0009
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it."""
    op.create_index("log_entries_by_time", "log_entries", ["at", "package_id"])


def downgrade() -> None:
    """Take it away."""
    op.drop_index("log_entries_by_time", "log_entries")
