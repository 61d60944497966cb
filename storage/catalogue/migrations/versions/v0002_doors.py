"""What the doors need: signing in by a browser, and sets for harvesters.

Revision ID: 0002
"""

import json
from typing import Any

from alembic import op
from sqlalchemy import Column, ForeignKey, Text, text
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

EXACT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
CHUNK = 1000
AUDITS = text("step = 'audit'")


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "sign_ins",
        Column("hash", EXACT, primary_key=True),
        Column("kind", EXACT, nullable=False),
        Column("person_id", EXACT, ForeignKey("people.id"), nullable=False),
        Column("token_id", EXACT, nullable=True),
        Column("created", EXACT, nullable=False),
        Column("expires", EXACT, nullable=False),
    )
    op.create_index("sign_ins_by_expiry", "sign_ins", ["expires"])
    op.add_column("packages", Column("resource_type", EXACT, nullable=True))
    op.create_index("packages_by_type", "packages", ["resource_type", "oai_datestamp", "id"])
    op.create_index("packages_by_owner", "packages", ["owner", "created", "id"])
    op.create_index("events_of_audits", "events", ["number"], sqlite_where=AUDITS, postgresql_where=AUDITS)
    _fill()


def downgrade() -> None:
    """Take them away."""
    op.drop_index("events_of_audits", "events")
    op.drop_index("packages_by_owner", "packages")
    op.drop_index("packages_by_type", "packages")
    op.drop_column("packages", "resource_type")
    op.drop_table("sign_ins")


def _fill() -> None:
    """Set the type of packages that are there, in pages."""
    connection, last = op.get_bind(), ""
    page = text("SELECT id, record FROM packages WHERE id > :last ORDER BY id LIMIT :limit")
    while found := connection.execute(page, {"last": last, "limit": CHUNK}).all():
        kinds = [{"id": row.id, "kind": _type(json.loads(row.record))} for row in found]
        connection.execute(text("UPDATE packages SET resource_type = :kind WHERE id = :id"), kinds)
        last = found[-1].id


def _type(record: Any) -> str | None:
    kind = record.get("resourceType") if isinstance(record, dict) else None
    general = kind.get("resourceTypeGeneral") if isinstance(kind, dict) else None
    return general if isinstance(general, str) else None
