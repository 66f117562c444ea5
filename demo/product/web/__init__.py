"""RaOS Console: a board of notes for the people who run a mainframe, rendered on the server."""
