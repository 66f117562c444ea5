INSERT INTO notes (title, at) SELECT title, at FROM drafts;

DROP TABLE drafts;
