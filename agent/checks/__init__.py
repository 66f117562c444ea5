"""The checks that Public runs on a release, one module per kind."""
