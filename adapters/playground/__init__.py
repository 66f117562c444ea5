"""A chat in the browser, for trying things out on this machine: a platform like the others, with one page for it."""
