CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 120),
    body TEXT NOT NULL DEFAULT '' CHECK (length(body) <= 10000),
    at TEXT NOT NULL
);

CREATE INDEX notes_by_time ON notes (at DESC, id DESC);

CREATE TABLE drafts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 120),
    at TEXT NOT NULL
);

CREATE TABLE probe (id INTEGER PRIMARY KEY, value TEXT NOT NULL, at TEXT NOT NULL);

INSERT INTO notes (title, body, at) VALUES
    ('Maintenance window', 'Sundays, 02:00 to 04:00 UTC.', '2024-01-08T08:00:00+00:00'),
    ('On call', 'The rota is in the handbook, under Operations.', '2024-01-09T09:30:00+00:00');

INSERT INTO drafts (title, at) VALUES ('Plan for the spring release', '2024-01-10T10:00:00+00:00');
