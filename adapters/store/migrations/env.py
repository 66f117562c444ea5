"""Run by Alembic: applies revisions on the connection, and in the transaction, that adapters.store.migrate gives it.

Without a connection it writes the statements out, for an administrator who wants to read them first.
"""

from __future__ import annotations

from alembic import context

from adapters.store.tables import SCHEMA

given = context.config.attributes
if context.is_offline_mode():
    context.configure(dialect_name=given["dialect"], target_metadata=SCHEMA, literal_binds=True)
else:
    context.configure(connection=given["connection"], target_metadata=SCHEMA, render_as_batch=True)
context.run_migrations()
