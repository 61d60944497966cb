"""Which entries of logs a rebuild has found in some stores only.

Revision ID: 0008
"""

from alembic import op
from sqlalchemy import Boolean, Column, false

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it: of the entries that are noted, none is doubted."""
    op.add_column("log_entries", Column("is_doubted", Boolean, nullable=False, server_default=false()))


def downgrade() -> None:
    """Take it away, and with it what is doubted: it must not be taken for ours."""
    op.execute("DELETE FROM log_entries WHERE is_doubted")
    op.drop_column("log_entries", "is_doubted")
