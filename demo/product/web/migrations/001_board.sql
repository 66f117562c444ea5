CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    text TEXT NOT NULL CHECK (length(text) BETWEEN 1 AND 500),
    author TEXT NOT NULL,
    at TEXT NOT NULL
);

CREATE TABLE probe (id INTEGER PRIMARY KEY, value TEXT NOT NULL, at TEXT NOT NULL);

INSERT INTO notes (text, author, at) VALUES
    ('Welcome to the console. Sign in with your name, then write the first note.', 'RaOS', '2024-01-08T08:00:00+00:00'),
    ('Backups run every night at 02:00 UTC. The last restore test took eleven minutes.', 'RaOS', '2024-01-09T09:30:00+00:00'),
    ('Mainframe licences are renewed in March; owners are told four weeks before.', 'RaOS', '2024-01-09T16:45:00+00:00');
