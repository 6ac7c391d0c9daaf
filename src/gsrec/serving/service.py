"""All that a server has open: models, titles, sessions, keys."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from gsrec.data.times import SECONDS_A_DAY
from gsrec.errors import ConfigError
from gsrec.serving.batch import Worker
from gsrec.serving.engine import Engine
from gsrec.serving.errors import ApiError, not_now
from gsrec.serving.keys import KeyRing, read_keys
from gsrec.serving.live import LiveSessions
from gsrec.serving.logs import log
from gsrec.serving.metrics import Metrics
from gsrec.serving.models import Models, load_models
from gsrec.serving.redis_store import open_redis
from gsrec.serving.replay import Replay
from gsrec.serving.settings import Settings
from gsrec.serving.sqlite_store import SQLiteStore
from gsrec.serving.store import SessionKey, SessionStore, StoredSession
from gsrec.serving.titles import Titles, read_titles

T = TypeVar("T")

SWEEP_SECONDS = 600.0
MAX_QUESTIONS = 256
"""The most questions without a session that wait; each takes a moment of its own."""

MAX_EXPLANATIONS = 16
"""The most explanations that wait; each takes a hundred moments."""


@dataclass(frozen=True, eq=False)
class Contents:
    """What a reload replaces.

    Attributes:
        models: what is served.
        titles: of the items of all models.
        keys: who may ask; None: everybody on this machine.
        replay: the users of the log, if there is one.
    """

    models: Models
    titles: Titles
    keys: KeyRing | None
    replay: Replay | None


class Service:
    """What a server has open, from its start to its end."""

    def __init__(self, settings: Settings) -> None:
        """Open everything.

        Raises:
            BundleError: if a bundle is missing or damaged.
            ConfigError: if keys or sessions cannot be opened.
            DataError: if titles or the log cannot be read.
        """
        self.settings = settings
        self.metrics = Metrics()
        self.contents = read_contents(settings)
        self.store = open_store(settings)
        idle_seconds = settings.session_days * SECONDS_A_DAY
        live = LiveSessions(settings.cached_sessions, idle_seconds)
        self.engine = Engine(Worker(self.contents.models, self.store, live, time.time), self.metrics.batch)
        self.is_stopping: Callable[[], bool] = lambda: False
        self._answers = _Desk("gsrec-answers", MAX_QUESTIONS)
        self._explanations = _Desk("gsrec-explains", MAX_EXPLANATIONS)
        self._reloading = asyncio.Lock()

    @property
    def is_ready(self) -> bool:
        """Whether further requests are welcome."""
        return not (self.engine.is_closed or self.is_stopping())

    async def answer(self, question: Callable[[], T]) -> T:
        """Compute an answer beside the events of sessions.

        Raises:
            ApiError: 503, if too many wait already.
        """
        return await self._answers.ask(question)

    async def explain(self, question: Callable[[], T]) -> T:
        """The same for what takes long, so that other answers need not wait for it."""
        return await self._explanations.ask(question)

    async def read_session(self, key: SessionKey) -> StoredSession | None:
        """A session as it is kept; None if there is none."""
        return await self.answer(partial(self.store.read, key, time.time()))

    def replay(self) -> Replay:
        """The users of the log.

        Raises:
            ApiError: 404, if the server has no log.
        """
        if self.contents.replay is None:
            raise ApiError(404, "no_log", "this server has no log to replay users of. Start it with --log LOG.")
        return self.contents.replay

    async def reload(self) -> Models:
        """Read bundles, titles and keys again, and serve them from here on; sessions stay.

        Raises:
            GSRecError: if one of them cannot be read: then all stays as it was.
        """
        async with self._reloading:
            try:
                contents = await asyncio.to_thread(read_contents, self.settings, self.contents)
                await self.engine.swap(contents.models)
            except Exception as error:
                log("reload failed", level=logging.ERROR, error=error, reason=str(error))
                self.metrics.reload(succeeded=False)
                raise
            self.contents = contents
            self.metrics.reload(succeeded=True)
            log("reloaded", models=[model.name for model in contents.models.all])
            return contents.models

    async def sweep(self) -> None:
        """Forget sessions whose time is over, for as long as the server runs."""
        while True:
            try:
                num_gone = await asyncio.to_thread(self.store.expire, time.time())
                if num_gone:
                    log("sessions expired", sessions=num_gone)
                    continue
            except Exception as error:  # whatever it is, the next sweep may succeed
                log("sweep failed", level=logging.ERROR, error=error)
            await asyncio.sleep(SWEEP_SECONDS)

    async def close(self) -> None:
        """Answer what waits, then close everything."""
        await self.engine.close()
        self._answers.close()
        self._explanations.close()
        self.store.close()


class _Desk:
    """A thread that answers one question after another; others wait, but only so many."""

    def __init__(self, name: str, most: int) -> None:
        """Open a desk where `most` may wait."""
        self._thread, self._most, self._num_waiting = ThreadPoolExecutor(1, name), most, 0

    async def ask(self, question: Callable[[], T]) -> T:
        """The answer, when it is this question's turn.

        Raises:
            ApiError: 503, if too many wait already.
        """
        if self._num_waiting >= self._most:
            raise not_now("busy", "too many questions are waiting")
        self._num_waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, question)
        finally:
            self._num_waiting -= 1

    def close(self) -> None:
        """Answer what waits, then end."""
        self._thread.shutdown()


def read_contents(settings: Settings, before: Contents | None = None) -> Contents:
    """Read bundles, titles, keys and the log; the log only if the default model, which reads it, is another one."""
    models = load_models(settings.bundles, settings.indexes, before.models if before else None)
    titles = Titles.of([model.recommender.bundle for model in models.all], read_titles(settings.titles))
    keys = read_keys(settings.keys) if settings.keys else None
    replay = before.replay if before and before.models.all[0] is models.all[0] else None
    if replay is None and settings.log is not None:
        replay = Replay.of(settings.log, settings.columns, models.all[0].recommender.bundle)
    return Contents(models, titles, keys, replay)


def open_store(settings: Settings) -> SessionStore:
    """The store that an address means.

    Raises:
        ConfigError: if it cannot be opened, or is Redis and to be durable.
        MissingExtraError: if it is Redis, and that is not installed.
    """
    idle_seconds = settings.session_days * SECONDS_A_DAY
    if settings.sessions.lower().startswith(("redis://", "rediss://", "unix://")):
        if settings.durable:
            raise ConfigError(
                "--durable is for FILE.sqlite: Redis itself is told so, by `appendonly` and `appendfsync`"
            )
        return open_redis(settings.sessions, idle_seconds=idle_seconds)
    return SQLiteStore(settings.sessions, idle_seconds=idle_seconds, durable=settings.durable)
