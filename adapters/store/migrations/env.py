"""Run by Alembic: applies revisions on the connection, and in the transaction, that adapters.store.migrate gives it."""

from __future__ import annotations

from alembic import context

from adapters.store.tables import SCHEMA

context.configure(connection=context.config.attributes["connection"], target_metadata=SCHEMA, render_as_batch=True)
context.run_migrations()
