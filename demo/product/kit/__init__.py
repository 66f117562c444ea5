"""What the three components share: the HTTP server, the slot, the loading of modules, pages, the database."""
