"""The demo: a small real product, ALPHA's updates of it, and the servers that they are deployed to."""
