"""Alembic's scripts: one a change of the schema, each written out, none changed once it was released."""
