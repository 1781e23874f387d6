"""The books of a key in PostgreSQL, for workers on several hosts. Needs `durable-topups[postgresql]`.

One small table, made at first use. Everybody goes by the database's clock, so hosts whose clocks differ share one
minute. A database that can't be reached means that nothing is sent: what others send is not known then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from oneclickdz.stores import StoreTrouble

WAIT_SECONDS = 2.0
_CONNECTIONS = 4
_SESSION = {
    "connect_timeout": 2,
    "options": f"-c statement_timeout={int(WAIT_SECONDS * 1000)} -c lock_timeout={int(WAIT_SECONDS * 1000)}",
    "autocommit": True,
}
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_TABLE = """
CREATE TABLE IF NOT EXISTS topups_books (
    key text NOT NULL, name text NOT NULL, body bytea NOT NULL, PRIMARY KEY (key, name)
)
"""
_READ = "SELECT body FROM topups_books WHERE key = %s AND name = %s"
_WRITE = """
INSERT INTO topups_books (key, name, body) VALUES (%s, %s, %s)
ON CONFLICT (key, name) DO UPDATE SET body = EXCLUDED.body
"""

Connection = psycopg.Connection[tuple[object, ...]]


class PostgreSQLBooks:
    """The database's books of all keys: call it with a key's fingerprint. `url` is a libpq URL; it is never shown.

    Raises ValueError for what is no such URL. A database that isn't there yet is no error here.
    """

    def __init__(self, url: str) -> None:
        try:
            conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise ValueError("TOPUPS_STATE_URL is no URL like postgresql://user:password@host:5432/database") from None
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url, kwargs=_SESSION, min_size=0, max_size=_CONNECTIONS, timeout=WAIT_SECONDS, open=True
        )
        self._made = False

    def __call__(self, fingerprint: str) -> PostgreSQLStore:
        """The store of one key."""
        return PostgreSQLStore(self, fingerprint)

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection to a database that has the table. Raises StoreTrouble."""
        try:
            with self._pool.connection() as connection:
                if not self._made:
                    self._make_table(connection)
                yield connection
        except (psycopg.Error, PoolTimeout) as problem:
            raise StoreTrouble(
                f"The shared state in PostgreSQL can't be used ({type(problem).__name__}), so nothing is sent. "
                "Check that the database of TOPUPS_STATE_URL can be reached and lets this user make a table."
            ) from None

    def _make_table(self, connection: Connection) -> None:
        with connection.transaction():
            # Two that make it at the same time would fail.
            connection.execute(_LOCK, ["topups_books"])
            connection.execute(_TABLE)
        self._made = True


class PostgreSQLStore:
    """One key's books in PostgreSQL."""

    def __init__(self, books: PostgreSQLBooks, fingerprint: str) -> None:
        self._books = books
        self._key = fingerprint
        self._mine = threading.local()
        self._seen: dict[str, bytes | None] = {}
        self._ahead = 0.0

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the key's lock in a transaction of this thread."""
        with self._books.connection() as connection, connection.transaction():
            connection.execute(_LOCK, [self._key])
            row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
            self._ahead = float(str(row[0])) - time.time() if row else 0.0
            self._mine.connection = connection
            try:
                yield
            finally:
                self._mine.connection = None

    def now(self) -> float:
        """The database's clock, as of the last lock."""
        return time.time() + self._ahead

    def read(self, name: str) -> bytes | None:
        """The row's body."""
        with self._own_or_new() as connection:
            row = connection.execute(_READ, [self._key, name]).fetchone()
        self._seen[name] = row[0] if row and isinstance(row[0], bytes) else None
        return self._seen[name]

    def glance(self, name: str) -> bytes | None:
        """The body as this process last read or wrote it."""
        return self._seen.get(name)

    def write(self, name: str, body: bytes, *, sure: bool) -> None:
        """Replace the row; the database itself makes it sure."""
        del sure
        with self._own_or_new() as connection:
            connection.execute(_WRITE, [self._key, name, body])
        self._seen[name] = body

    def whereabouts(self, name: str) -> str:
        """The row."""
        return f"the row ({self._key}, {name!r}) of topups_books in the database of TOPUPS_STATE_URL"

    @contextmanager
    def _own_or_new(self) -> Iterator[Connection]:
        mine: Connection | None = getattr(self._mine, "connection", None)
        if mine is not None:
            yield mine
            return
        with self._books.connection() as connection:
            yield connection
