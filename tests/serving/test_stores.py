"""Both stores keep what they promise; sessions that were idle for too long are gone."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import fakeredis
import pytest
import redis

from gsrec.errors import ConfigError, MissingExtraError
from gsrec.serving.errors import StoreError
from gsrec.serving.redis_store import RedisStore, open_redis
from gsrec.serving.service import open_store
from gsrec.serving.settings import Settings
from gsrec.serving.sqlite_store import SQLiteStore
from gsrec.serving.store import Appended, SessionKey, SessionStore

ANN, BOB = SessionKey("ann", "s"), SessionKey("bob", "s")
IDLE = 100.0


def totals(appended: list[Appended]) -> list[int]:
    return [one.num_events for one in appended]


@pytest.fixture(scope="module")
def redis_socket() -> Iterator[str]:
    """A real Redis, at a socket of its own; where it is not installed, what needs it is skipped."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/redis.sock"
        told = ["--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder]
        with subprocess.Popen([program, *told], stdout=subprocess.DEVNULL) as server:
            for _ in range(100):
                if Path(socket).exists():
                    break
                time.sleep(0.05)
            yield socket
            server.terminate()


@pytest.fixture(params=["sqlite", "redis", "real-redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SessionStore:
    """A store that forgets after 100 seconds."""
    if request.param == "sqlite":
        return SQLiteStore(str(tmp_path / "sessions.sqlite"), idle_seconds=IDLE)
    if request.param == "redis":
        return RedisStore(fakeredis.FakeRedis(), idle_seconds=IDLE)
    client = redis.Redis(unix_socket_path=request.getfixturevalue("redis_socket"))
    client.flushall()
    return RedisStore(client, idle_seconds=IDLE)


def test_events_are_kept_in_order_and_by_owner(store: SessionStore) -> None:
    assert totals(store.append([(ANN, [1, 2]), (BOB, ["x"])], 1_000.0)) == [2, 1]
    assert totals(store.append([(ANN, [-(2**63), 2**63 - 1, "1", "ü\n"])], 1_001.0)) == [6]
    found = store.read(ANN, 1_001.0)
    assert found is not None
    assert found.item_ids == (1, 2, -(2**63), 2**63 - 1, "1", "ü\n")
    assert found.updated == pytest.approx(1_001.0, abs=5)
    found = store.read(BOB, 1_001.0)
    assert found is not None
    assert found.item_ids == ("x",)
    assert store.read(SessionKey("ann", "other"), 1_001.0) is None
    assert totals(store.append([], 1_001.0)) == []


def test_a_deleted_session_is_gone(store: SessionStore) -> None:
    store.append([(ANN, [1]), (BOB, [2])], 1_000.0)
    assert store.delete(ANN)
    assert not store.delete(ANN)
    assert store.read(ANN, 1_000.0) is None
    assert store.read(BOB, 1_000.0) is not None
    assert totals(store.append([(ANN, [3])], 1_000.0)) == [1]


def test_a_session_that_begins_anew_is_another_one(store: SessionStore) -> None:
    (first,) = store.append([(ANN, [1, 2])], 1_000.0)
    found = store.read(ANN, 1_000.0)
    assert found is not None
    assert store.append([(ANN, [3])], 1_000.0) == [(first.identity, 3)] == [(found.identity, 3)]
    store.delete(ANN)
    (second, other) = store.append([(ANN, [4, 5]), (BOB, [1])], 1_000.0)
    assert len({first.identity, second.identity, other.identity}) == 3


def test_redis_tells_when_the_newest_event_came(redis_socket: str) -> None:
    client = redis.Redis(unix_socket_path=redis_socket)
    client.flushall()
    RedisStore(client, idle_seconds=IDLE).append([(ANN, [1])], 1_000.0)
    found = RedisStore(client, idle_seconds=7 * IDLE).read(ANN, 1_050.0)
    assert found is not None
    assert found.updated == 1_000.0


def test_redis_forgets_by_itself() -> None:
    client = fakeredis.FakeRedis()
    store = RedisStore(client, idle_seconds=IDLE)
    store.append([(ANN, [1])], 1_000.0)
    assert all(0 < client.pttl(name) <= IDLE * 1_000 for name in client.scan_iter())
    assert store.expire(1e9) == 0
    store.close()


def test_sqlite_forgets_when_read_and_when_swept(tmp_path: Path) -> None:
    path = str(tmp_path / "sessions.sqlite")
    store = SQLiteStore(path, idle_seconds=IDLE)
    store.append([(ANN, [1]), (SessionKey("ann", "old"), [2, 3])], 1_000.0)
    store.append([(BOB, [4])], 1_090.0)
    assert store.read(ANN, 1_099.0) is not None
    assert store.read(ANN, 1_101.0) is None
    assert totals(store.append([(ANN, [5])], 1_102.0)) == [1]
    assert store.expire(1_103.0) == 1
    assert store.expire(1_103.0) == 0
    store.close()
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT item_id FROM events").fetchall()
    connection.close()
    assert sorted(rows) == [(4,), (5,)]


def test_sqlite_commits_before_it_returns(tmp_path: Path) -> None:
    path = str(tmp_path / "sessions.sqlite")
    store = SQLiteStore(path, idle_seconds=IDLE)
    store.append([(ANN, [1])], 1_000.0)
    other = SQLiteStore(path, idle_seconds=IDLE, durable=True)
    assert totals(other.append([(ANN, [2])], 1_000.0)) == [2]
    found = store.read(ANN, 1_000.0)
    assert found is not None
    assert found.item_ids == (1, 2)


@pytest.mark.parametrize(("durable", "level"), [(False, 1), (True, 2)])
def test_durable_means_written_through(tmp_path: Path, durable: bool, level: int) -> None:
    store = SQLiteStore(str(tmp_path / "sessions.sqlite"), idle_seconds=IDLE, durable=durable)
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (level,)
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_is_committed_moves_into_the_file_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gsrec.serving.sqlite_store.CHECKPOINT_SECONDS", 0.01)
    monkeypatch.setattr("gsrec.serving.sqlite_store.LOG_BYTES", 100_000)
    path = tmp_path / "sessions.sqlite"
    store = SQLiteStore(str(path), idle_seconds=IDLE)
    log = tmp_path / "sessions.sqlite-wal"
    total = longest = 0
    for place in range(300):
        total += store.append([(SessionKey("ann", f"s{place}"), ["x" * 200] * 10)], 1_000.0)[0].num_events
        longest = max(longest, log.stat().st_size)
    assert longest > 100_000
    for _ in range(500):
        if log.stat().st_size <= 100_000 and num_moved(path) == total:
            break
        time.sleep(0.01)
    assert log.stat().st_size <= 100_000
    assert num_moved(path) == total
    store.close()


def num_moved(path: Path) -> int:
    """The events in the file, without those that are in the log of writes only; 0 while they are being moved."""
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
        except sqlite3.DatabaseError:
            return 0


def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    store = SQLiteStore(str(tmp_path / "sessions.sqlite"), idle_seconds=IDLE)
    with pytest.raises(StoreError, match="does not take this now"):
        store.append([(ANN, [1]), (BOB, [object()])], 1_000.0)  # type: ignore[list-item]
    assert store.read(ANN, 1_000.0) is None
    assert totals(store.append([(ANN, [1])], 1_000.0)) == [1]


@pytest.mark.parametrize("made", ["text", "other tables", "newer"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, made: str) -> None:
    path = tmp_path / "sessions.sqlite"
    if made == "text":
        path.write_text("item_id,title\n" * 100)
    else:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE mine (x)" if made == "other tables" else "PRAGMA user_version = 99")
        connection.close()
    before = path.read_bytes()
    said = "cannot keep sessions in" if made == "text" else "is no file of sessions of this version"
    with pytest.raises(ConfigError, match=said):
        SQLiteStore(str(path), idle_seconds=IDLE)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot keep sessions in .*unable to open"):
        SQLiteStore(str(tmp_path / "none" / "sessions.sqlite"), idle_seconds=IDLE)


def test_redis_that_fails_is_told() -> None:
    server = fakeredis.FakeServer()
    store = RedisStore(fakeredis.FakeRedis(server=server), idle_seconds=IDLE)
    store.append([(ANN, [1])], 1_000.0)
    server.connected = False
    asked: list[Callable[[], object]] = [
        lambda: store.append([(ANN, [1])], 1_000.0),
        lambda: store.read(ANN, 1_000.0),
        lambda: store.delete(ANN),
    ]
    for ask in asked:
        with pytest.raises(StoreError, match="Redis does not take this now"):
            ask()


def test_an_address_means_redis(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis.Redis, "from_url", lambda address, **told: fakeredis.FakeRedis())
    settings = Settings((shop,), sessions="redis://here", session_days=1.0)
    store = open_store(settings)
    assert isinstance(store, RedisStore)
    assert totals(store.append([(ANN, [1])], 1_000.0)) == [1]


def test_how_long_redis_keeps_what_it_is_told_is_not_decided_here(shop: Path) -> None:
    with pytest.raises(ConfigError, match=r"--durable is for FILE\.sqlite: Redis itself is told so"):
        open_store(Settings((shop,), sessions="redis://here", durable=True))


@pytest.mark.parametrize("address", ["redis://127.0.0.1:1", "redis://[x"])
def test_redis_that_does_not_answer_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"(no Redis answers at )?the address of --sessions"):
        open_redis(address, idle_seconds=IDLE)


def test_redis_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtraError, match=r"redis is not installed.*gsrec\[redis\]"):
        open_redis("redis://127.0.0.1", idle_seconds=IDLE)


@pytest.mark.parametrize("address", ["redis://:se/cret@here", "Redis://:secret@127.0.0.1:1", "REDIS://:secret@[x"])
def test_a_password_is_never_told(shop: Path, address: str) -> None:
    settings = Settings((shop,), sessions=address)
    with pytest.raises(ConfigError) as error:
        open_store(settings)
    assert not re.search("se.?cret|cret", f"{error.value} {settings!r}")
