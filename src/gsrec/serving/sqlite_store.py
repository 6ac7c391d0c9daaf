"""Sessions in one SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from secrets import randbits
from threading import Event, Lock, Thread

from gsrec.data.vocabulary import ItemId
from gsrec.errors import ConfigError
from gsrec.serving.errors import StoreError
from gsrec.serving.settings import IN_MEMORY
from gsrec.serving.store import Appended, SessionKey, StoredSession

SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, session_id TEXT NOT NULL, num_events INTEGER NOT NULL,
    updated REAL NOT NULL, UNIQUE (owner, session_id)
);
CREATE INDEX IF NOT EXISTS sessions_by_age ON sessions (updated);
CREATE TABLE IF NOT EXISTS events (
    session INTEGER NOT NULL, place INTEGER NOT NULL, item_id NOT NULL, PRIMARY KEY (session, place)
) WITHOUT ROWID;
"""
VERSION = 1
ADD = """
INSERT INTO sessions (id, owner, session_id, num_events, updated) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (owner, session_id) DO UPDATE SET num_events = num_events + excluded.num_events
RETURNING id, num_events, updated
"""
AGE_SHARE = 1_000
"""Of the time that a session may be idle, its age may be off by one part in so many: to be exact doubles the work."""

ID_BITS = 62

FIND = "SELECT id, updated FROM sessions WHERE owner = ? AND session_id = ?"
EXPIRED_AT_ONCE = 200
CHECKPOINT_SECONDS = 30.0
"""Between two times that what is in the log of writes is put into the file itself."""

LOG_BYTES = 64 * 2**20
"""A log of writes longer than this is emptied, for which writers wait once."""


class SQLiteStore:
    """Sessions in one SQLite file, in WAL mode: all events of a batch are one transaction.

    A transaction that is committed is in the operating system's hands, so it outlives the process, `kill -9` included.
    It need not outlive a power cut: for that the file must be written through before the commit returns, which is
    what `durable` asks for, at some milliseconds a batch.

    What was committed goes from the log of writes into the file on a thread of its own, while others write on: waiting
    for the disk there would hold up everybody for a tenth of a second.
    """

    def __init__(self, path: str, *, idle_seconds: float, durable: bool = False) -> None:
        """Open the file, which is made where there is none.

        Args:
            path: of the file; `:memory:` keeps sessions in this process only.
            idle_seconds: a session without events for longer is forgotten.
            durable: whether commits outlive a power cut.

        Raises:
            ConfigError: if the file cannot be opened, or is none of this version.
        """
        self._idle_seconds = idle_seconds
        self._path, self._lock, self._closing = path, Lock(), Event()
        self._tidying = Thread(target=self._tidy, name="gsrec-checkpoints", daemon=True)
        try:
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5.0)
            try:
                self._prepare(path, durable)
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            raise ConfigError(f"cannot keep sessions in {path}: {error}. Give another file with --sessions.") from error
        if path != IN_MEMORY:
            self._tidying.start()

    def _prepare(self, path: str, durable: bool) -> None:
        [version] = self._connection.execute("PRAGMA user_version").fetchone()
        [tables] = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version not in (0, VERSION) or (version == 0 and tables):
            raise ConfigError(f"{path} is no file of sessions of this version. Give another one with --sessions.")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._connection.executescript(SCHEMA)
        self._connection.execute(f"PRAGMA user_version = {VERSION}")

    def append(self, events: Sequence[tuple[SessionKey, Sequence[ItemId]]], now: float) -> list[Appended]:
        """Add events to sessions in one transaction; gives what each is now."""
        appended: list[Appended] = []
        rows: list[tuple[int, int, ItemId]] = []
        older: list[tuple[float, int]] = []
        with self._transaction() as connection:
            for (owner, session_id), item_ids in events:
                new = randbits(ID_BITS)  # never used again, as one that counts up may be once the last is deleted
                values = (new, owner, session_id, len(item_ids), now)
                session, total, updated = connection.execute(ADD, values).fetchone()
                if now - updated > self._idle_seconds / AGE_SHARE:
                    older.append((now, session))
                first = total - len(item_ids)
                rows += [(session, first + place, item_id) for place, item_id in enumerate(item_ids)]
                appended.append(Appended(str(session), total))
            connection.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
            connection.executemany("UPDATE sessions SET updated = ? WHERE id = ?", older)
        return appended

    def read(self, key: SessionKey, now: float) -> StoredSession | None:
        """A session; one that was without events for too long is forgotten now."""
        with self._transaction() as connection:
            found = connection.execute(FIND, key).fetchone()
            if found is None:
                return None
            session, updated = found
            if updated < now - self._idle_seconds:
                _forget(connection, [session])
                return None
            rows = connection.execute("SELECT item_id FROM events WHERE session = ? ORDER BY place", (session,))
            return StoredSession(tuple(item_id for (item_id,) in rows), updated, str(session))

    def delete(self, key: SessionKey) -> bool:
        """Forget a session; whether there was one."""
        with self._transaction() as connection:
            found = connection.execute(FIND, key).fetchone()
            if found is not None:
                _forget(connection, [found[0]])
            return found is not None

    def expire(self, now: float) -> int:
        """Forget some of those that were without events for too long."""
        with self._transaction() as connection:
            old = connection.execute(
                "SELECT id FROM sessions WHERE updated < ? LIMIT ?", (now - self._idle_seconds, EXPIRED_AT_ONCE)
            )
            sessions = [session for (session,) in old]
            _forget(connection, sessions)
            return len(sessions)

    def close(self) -> None:
        """Close the file; what was committed is in it."""
        self._closing.set()
        if self._tidying.ident is not None:
            self._tidying.join()
        with self._lock:
            self._connection.close()

    def _tidy(self) -> None:
        """Put what is committed into the file, now and again, until it is closed."""
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=5.0)) as connection:
            while not self._closing.wait(CHECKPOINT_SECONDS):
                with suppress(sqlite3.Error):  # the next time will do
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    if _size(f"{self._path}-wal") > LOG_BYTES:
                        with self._lock:
                            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, of one thread at a time: all of it is kept, or nothing."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise StoreError("the file of sessions does not take this now. Try again later.") from error


def _size(path: str) -> int:
    """Bytes of a file; 0 where there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _forget(connection: sqlite3.Connection, sessions: Sequence[int]) -> None:
    rows = [(session,) for session in sessions]
    connection.executemany("DELETE FROM events WHERE session = ?", rows)
    connection.executemany("DELETE FROM sessions WHERE id = ?", rows)
