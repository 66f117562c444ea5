"""RaOS Docs: the handbook, with a search over an index that is built at start."""
