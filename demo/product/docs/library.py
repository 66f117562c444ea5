"""The handbook's pages and the index over them, rebuilt at every start."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..kit.database import connected
from ..kit.markdown import plain

TITLE_WEIGHT = 5
"""How many mentions in the text a word in the title is worth."""


@dataclass(frozen=True)
class Document:
    """One page of the handbook."""

    name: str
    title: str
    text: str

    @property
    def lead(self) -> str:
        """The first paragraph, without marks."""
        return plain(self.text.split("\n\n")[1])


@dataclass(frozen=True)
class Library:
    """All pages by name, in the order of their file names, and the database with their index."""

    documents: dict[str, Document]
    database: Path

    @classmethod
    def opened(cls, pages: Path, database: Path) -> Library:
        """Read the pages and index them. Raises OSError or sqlite3.Error."""
        library = cls(dict(_document(path) for path in sorted(pages.glob("*.md"))), database)
        with connected(database) as connection:
            connection.execute("DELETE FROM words")
            connection.execute("DELETE FROM pages")
            for document in library.documents.values():
                _index(connection, document)
        return library

    def search(self, query: str, limit: int = 20) -> list[Document]:
        """The pages that hold words beginning like the query's, best first."""
        scores: Counter[str] = Counter()
        with connected(self.database) as connection:
            for word in _words(query):
                select = "SELECT page, sum(weight) AS weight FROM words WHERE word >= ? AND word < ? GROUP BY page"
                scores.update(
                    {row["page"]: row["weight"] for row in connection.execute(select, (word, word + "\U0010ffff"))}
                )
        return [self.documents[name] for name, _ in scores.most_common(limit)]


def _document(path: Path) -> tuple[str, Document]:
    """A page's name is its file's without the number that orders it: `10-overview.md` is `overview`."""
    text = path.read_text("utf-8")
    name = path.stem.partition("-")[2]
    return name, Document(name, text.partition("\n")[0].removeprefix("# "), text)


def _index(connection: sqlite3.Connection, document: Document) -> None:
    weights = Counter(_words(document.text))
    for word in _words(document.title):
        weights[word] += TITLE_WEIGHT
    connection.execute("INSERT INTO pages VALUES (?, ?, ?)", (document.name, document.title, document.text))
    rows = [(word, document.name, weight) for word, weight in weights.items()]
    connection.executemany("INSERT INTO words VALUES (?, ?, ?)", rows)


def _words(text: str) -> list[str]:
    return re.findall(r"\w{2,}", text.casefold())
