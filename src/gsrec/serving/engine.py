"""Session events from many requests, taken together: what arrives while a batch is computed is the next batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from gsrec.serving.batch import Load, Loaded, Outcome, SessionAnswer, SessionRequest, Worker
from gsrec.serving.errors import not_now
from gsrec.serving.live import Taken, take
from gsrec.serving.models import Models, ServedModel
from gsrec.serving.settings import FEWEST_CACHED
from gsrec.serving.store import SessionKey

T = TypeVar("T")

MAX_BATCH = LOADED_AT_ONCE = FEWEST_CACHED
"""The most sessions that are computed together: no more than are sure to have room in memory."""

MAX_WAITING = 4_096
"""The most requests with events that wait; further ones are refused, because they would wait for too long."""


@dataclass(eq=False)
class _Job:
    request: SessionRequest
    answer: asyncio.Future[SessionAnswer]


@dataclass(eq=False)
class _Loading:
    """A session that is being loaded, and the requests that wait for it, oldest first."""

    load: Load
    jobs: list[_Job] = field(default_factory=list)


class Engine:
    """Hands requests to a worker, a batch at a time, on a thread of its own; another thread computes states anew.

    Two requests of the same session are never in one batch, and stay in the order they came in.
    """

    def __init__(self, worker: Worker, on_batch: Callable[[int], None] = lambda size: None) -> None:
        """Use this worker, whose methods are from here on called on the engine's thread alone."""
        self._worker, self._on_batch = worker, on_batch
        self._working = ThreadPoolExecutor(1, "gsrec-events")
        self._computing = ThreadPoolExecutor(1, "gsrec-states")
        self._waiting: list[_Job] = []
        self._loading: dict[SessionKey, _Loading] = {}
        self._to_load: list[SessionKey] = []
        self._loaded: list[Loaded] = []
        self._num_unanswered = 0
        self._is_busy = self._is_loading = self.is_closed = False

    @property
    def models(self) -> Models:
        """The models that answer now."""
        return self._worker.models

    @property
    def num_live(self) -> int:
        """How many sessions have their state in memory."""
        return len(self._worker.live)

    async def add(self, request: SessionRequest) -> SessionAnswer:
        """Take in events of a session; when it returns they are kept.

        Raises:
            ApiError: if there is no such model, the session is full, or the server is.
            GSRecError: if rules leave nothing, or the store does not take it.
        """
        if self.is_closed:
            raise not_now("stopping", "this server is stopping")
        if self._num_unanswered >= MAX_WAITING:
            raise not_now("busy", "too many events are waiting")
        job = _Job(request, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._num_unanswered += 1
        try:
            self._begin()
            return await job.answer
        finally:
            self._num_unanswered -= 1

    async def delete(self, key: SessionKey) -> bool:
        """Forget a session; whether there was one."""
        return await self._on_worker(partial(self._worker.delete, key))

    async def swap(self, models: Models) -> None:
        """Serve other models without a pause: live sessions are computed for them first, on the side."""
        new = [model for model in models.all if model not in self.models.all]
        loads = await self._on_worker(partial(_loads, self._worker, new))
        warmed = await asyncio.to_thread(_warmed, loads)
        await self._on_worker(partial(self._worker.swap, models, warmed))

    async def close(self) -> None:
        """Answer what waits, then stop."""
        self.is_closed = True
        while self._waiting or self._is_busy or self._loading:
            await asyncio.sleep(0.005)
        self._working.shutdown()
        self._computing.shutdown()

    async def _on_worker(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._working, call)

    def _begin(self) -> None:
        """Begin a batch, unless one is being computed."""
        if self._is_busy:
            return
        jobs = self._next_jobs()
        loaded, self._loaded = self._loaded, []
        if not jobs and not loaded:
            return
        self._is_busy = True
        loop = asyncio.get_running_loop()
        future = self._working.submit(self._worker.run, [job.request for job in jobs], loaded)
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._end, jobs, done))

    def _next_jobs(self) -> list[_Job]:
        """The next requests, one a session; those of sessions that are being loaded wait for that."""
        jobs: dict[SessionKey, _Job] = {}
        later: list[_Job] = []
        for place, job in enumerate(self._waiting):
            if len(jobs) == MAX_BATCH:
                later += self._waiting[place:]
                break
            key = job.request.key
            if key in self._loading:
                self._loading[key].jobs.append(job)
            elif key in jobs:
                later.append(job)
            else:
                jobs[key] = job
        self._waiting = later
        return list(jobs.values())

    def _end(self, jobs: Sequence[_Job], done: Future[Outcome]) -> None:
        """Give out what a batch came to, and begin the next."""
        self._is_busy = False
        if (error := done.exception()) is not None:
            for job in jobs:
                _fail(job, error)
        else:
            self._give(jobs, done.result())
        self._begin()

    def _give(self, jobs: Sequence[_Job], outcome: Outcome) -> None:
        if outcome.answers:
            self._on_batch(len(outcome.answers))
        for place, answer in outcome.answers.items():
            if not jobs[place].answer.done():
                jobs[place].answer.set_result(answer)
        for place, error in outcome.errors.items():
            _fail(jobs[place], error)
        for place, request in outcome.unfinished.items():
            jobs[place].request = request
        self._waiting = [jobs[place] for place in outcome.unfinished] + self._waiting
        for place, load in outcome.loads.items():
            self._loading[load.key] = _Loading(load, [jobs[place]])
            self._to_load.append(load.key)
        self._begin_loading()

    def _begin_loading(self) -> None:
        if self._is_loading or not self._to_load:
            return
        self._is_loading = True
        keys, self._to_load = self._to_load[:LOADED_AT_ONCE], self._to_load[LOADED_AT_ONCE:]
        loop = asyncio.get_running_loop()
        loads = [self._loading[key].load for key in keys]
        future = self._computing.submit(self._compute, loads, loop)
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._end_loading, keys, done))

    def _compute(self, loads: Sequence[Load], loop: asyncio.AbstractEventLoop) -> None:
        for one in _computed(loads):
            loop.call_soon_threadsafe(self._arrive, one)

    def _arrive(self, loaded: Loaded) -> None:
        """A session can go on, its events before all others."""
        self._loaded.append(loaded)
        self._waiting = self._loading.pop(loaded.load.key).jobs + self._waiting
        self._begin()

    def _end_loading(self, keys: Sequence[SessionKey], done: Future[None]) -> None:
        self._is_loading = False
        if (error := done.exception()) is not None:
            for key in keys:
                for job in self._loading.pop(key).jobs if key in self._loading else ():
                    _fail(job, error)
        self._begin_loading()


def _fail(job: _Job, error: BaseException) -> None:
    if not job.answer.done():
        job.answer.set_exception(error)


def _computed(loads: Sequence[Load]) -> Iterator[Loaded]:
    """States out of events, each as soon as it is done."""
    for model in {load.model for load in loads}:
        of_model = [load for load in loads if load.model is model]
        taken = [Taken(model.recommender.bundle) for _ in of_model]
        for place in take([(has, load.session.item_ids) for has, load in zip(taken, of_model, strict=True)]):
            yield Loaded(of_model[place], taken[place])


def _loads(worker: Worker, models: Sequence[ServedModel]) -> list[Load]:
    """Copies of the live sessions, to be computed for other models where the model of that name has a state now."""
    live = worker.live.items()
    return [Load(key, one, session.copy()) for one in models for key, session in live if one.name in session.taken]


def _warmed(loads: Sequence[Load]) -> list[Loaded]:
    """States of so many sessions, some at a time."""
    return [
        loaded
        for start in range(0, len(loads), LOADED_AT_ONCE)
        for loaded in _computed(loads[start : start + LOADED_AT_ONCE])
    ]
