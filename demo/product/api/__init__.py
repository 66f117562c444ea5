"""RaOS API: notes over HTTP, in a SQLite database."""
