"""The index of what people have noted, so that history finds notes without the chains."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    noted = sa.text("kind = 'Noted'")
    op.create_index("ix_journal_noted", "journal", ["chain", "seq"], sqlite_where=noted, postgresql_where=noted)
