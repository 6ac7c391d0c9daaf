"""Events of many sessions, taken together: every answer is the library's, whatever the order, memory or store."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from tests.serving.conftest import NUM_ITEMS, bundle_of

from gsrec.data.vocabulary import ItemId
from gsrec.recommend.recommender import Recommender
from gsrec.recommend.together import LiveHistory, add_together
from gsrec.serving.batch import MAX_GAP, Load, Loaded, SessionAnswer, SessionRequest, Worker
from gsrec.serving.engine import Engine
from gsrec.serving.errors import ApiError, StoreError
from gsrec.serving.live import LiveSession, LiveSessions, Taken, take
from gsrec.serving.models import Models, ServedModel
from gsrec.serving.redis_store import RedisStore
from gsrec.serving.sqlite_store import SQLiteStore
from gsrec.serving.store import Appended, SessionKey, SessionStore

IDLE = 1_000.0
SHOP = ServedModel("shop", Recommender(bundle_of()))
KINDS = ("gsrec", "gru4rec", "sasrec")


def key(place: object) -> SessionKey:
    return SessionKey("ann", f"s{place}")


def memory() -> SQLiteStore:
    return SQLiteStore(":memory:", idle_seconds=IDLE)


def worker_of(
    *models: ServedModel, store: SessionStore | None = None, most: int = 100, clock: Callable[[], float] = lambda: 1.0
) -> Worker:
    return Worker(Models(models or (SHOP,)), store or memory(), LiveSessions(most, IDLE), clock)


def run(worker: Worker, call: Callable[[Engine], Awaitable[Any]]) -> Any:
    """Call something with an engine that is closed afterwards."""

    async def main() -> Any:
        engine = Engine(worker)
        try:
            return await call(engine)
        finally:
            await engine.close()

    return asyncio.run(main())


def check(answer: SessionAnswer, history: Sequence[ItemId], model: ServedModel = SHOP, k: int = 10) -> None:
    found = model.recommender.recommend(history, k)
    assert answer.recommendation.items == found.items
    assert answer.recommendation.scores == pytest.approx(found.scores, abs=1e-5)
    assert answer.recommendation.num_unknown == found.num_unknown
    assert (answer.num_events, answer.model) == (len(history), model)


@pytest.mark.parametrize("kind", KINDS)
def test_many_sessions_at_once_get_the_librarys_answers(kind: str) -> None:
    model = ServedModel("shop", Recommender(bundle_of(kind)))
    draw = random.Random(1)  # noqa: S311  # no secret
    histories: dict[int, list[int]] = {place: [] for place in range(9)}

    async def use(engine: Engine) -> None:
        for _ in range(12):
            asked = []
            for place in draw.choices(range(9), k=20):
                new = [draw.randint(1, NUM_ITEMS + 3) for _ in range(draw.choice([1, 1, 1, 4]))]
                histories[place] += new
                asked.append(
                    (engine.add(SessionRequest(key(place), new, k=draw.choice([5, 10]))), list(histories[place]))
                )
            for answer, (_, history) in zip(await asyncio.gather(*(one for one, _ in asked)), asked, strict=True):
                check(answer, history, model, len(answer.recommendation.items))

    run(worker_of(model), use)


def test_two_events_of_a_session_stay_in_order_and_apart() -> None:
    sizes: list[int] = []

    async def use() -> list[SessionAnswer]:
        engine = Engine(worker_of(), sizes.append)
        answers = await asyncio.gather(*(engine.add(SessionRequest(key(0), [item])) for item in range(1, 6)))
        await engine.close()
        return answers

    for place, answer in enumerate(asyncio.run(use()), start=1):
        check(answer, range(1, place + 1))
    assert sizes == [1] * 5


def test_what_waits_is_taken_together() -> None:
    sizes: list[int] = []

    async def use() -> None:
        engine = Engine(worker_of(), sizes.append)
        await asyncio.gather(*(engine.add(SessionRequest(key(place), [1])) for place in range(150)))
        await engine.close()

    asyncio.run(use())
    assert sizes == [1, 64, 64, 21]


def test_a_session_that_left_memory_goes_on() -> None:
    async def use(engine: Engine) -> None:
        history = []
        for item in range(1, 9):
            history.append(item)
            check(await engine.add(SessionRequest(key(0), [item])), history)
            await engine.add(SessionRequest(key("other"), [item]))
            assert engine.num_live == 1

    run(worker_of(most=1), use)


@pytest.mark.parametrize("kind", KINDS)
def test_long_sessions_are_loaded_on_the_side(kind: str) -> None:
    model, store = ServedModel("shop", Recommender(bundle_of(kind))), memory()
    draw = random.Random(2)  # noqa: S311
    histories = [[draw.randint(1, NUM_ITEMS) for _ in range(MAX_GAP + 1 + 7 * place)] for place in range(5)]
    store.append([(key(place), history) for place, history in enumerate(histories)], 1.0)

    async def use(engine: Engine) -> None:
        waiting = [engine.add(SessionRequest(key(place % 5), [place % 5 + 1])) for place in range(15)]
        for place, answer in enumerate(await asyncio.gather(*waiting)):
            histories[place % 5].append(place % 5 + 1)
            check(answer, histories[place % 5], model)

    run(worker_of(model, store=store), use)


def test_loading_that_fails_is_told_to_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    store = memory()
    store.append([(key(0), [1] * (MAX_GAP + 1))], 1.0)

    def fail(*_: object) -> None:
        raise RuntimeError("no")

    async def use(engine: Engine) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("gsrec.serving.engine.take", fail)
            waiting = [engine.add(SessionRequest(key(0), [2])) for _ in range(3)]
            told = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(one) for one in told] == [RuntimeError] * 3
        check(await engine.add(SessionRequest(key(0), [2])), [1] * (MAX_GAP + 1) + [2])

    run(worker_of(store=store), use)


def test_idle_sessions_begin_anew() -> None:
    now = 1.0

    async def use(engine: Engine) -> None:
        nonlocal now
        check(await engine.add(SessionRequest(key(0), [1])), [1])
        now += IDLE
        check(await engine.add(SessionRequest(key(0), [2])), [1, 2])
        now += IDLE + 1
        check(await engine.add(SessionRequest(key(0), [3])), [3])

    run(worker_of(clock=lambda: now), use)


def test_two_servers_share_a_store() -> None:
    server = fakeredis.FakeServer()
    stores = [RedisStore(fakeredis.FakeRedis(server=server), idle_seconds=IDLE) for _ in range(2)]
    draw = random.Random(3)  # noqa: S311

    async def use() -> None:
        engines = [Engine(worker_of(store=store)) for store in stores]
        history: list[int] = []
        for step in range(30):
            history.append(draw.randint(1, NUM_ITEMS))
            check(await draw.choice(engines).add(SessionRequest(key(0), history[-1:])), history)
            if step == 20:
                await engines[0].delete(key(0))
                history = []
        for engine in engines:
            await engine.close()

    asyncio.run(use())


def test_a_session_begun_anew_on_another_server_is_followed() -> None:
    server = fakeredis.FakeServer()
    ours, theirs = (
        worker_of(store=RedisStore(fakeredis.FakeRedis(server=server), idle_seconds=IDLE)) for _ in range(2)
    )
    ours.run([SessionRequest(key(0), [1, 2, 3])])
    theirs.delete(key(0))
    theirs.run([SessionRequest(key(0), [7, 8, 9])])
    check(ours.run([SessionRequest(key(0), [4])]).answers[0], [7, 8, 9, 4])
    check(ours.run([SessionRequest(key(0), [5])]).answers[0], [7, 8, 9, 4, 5])


def test_what_waits_for_a_session_to_be_loaded_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gsrec.serving.engine.MAX_WAITING", 3)
    store = memory()
    store.append([(key(0), [1] * (MAX_GAP + 1))], 1.0)

    async def use(engine: Engine) -> None:
        waiting = [asyncio.create_task(engine.add(SessionRequest(key(0), [2]))) for _ in range(5)]
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert [isinstance(one, ApiError) for one in told] == [False] * 3 + [True] * 2

    run(worker_of(store=store), use)


class FailingStore:
    """A store that can be told to fail."""

    def __init__(self) -> None:
        self.kept, self.fails = memory(), False
        self.read, self.delete = self.kept.read, self.kept.delete
        self.expire, self.close = self.kept.expire, self.kept.close

    def append(self, events: Sequence[tuple[SessionKey, Sequence[ItemId]]], now: float) -> list[Appended]:
        if self.fails:
            raise StoreError("the disk is full")
        return self.kept.append(events, now)


def test_what_is_not_kept_is_not_taken_in() -> None:
    store = FailingStore()

    async def use(engine: Engine) -> None:
        await engine.add(SessionRequest(key(0), [1]))
        store.fails = True
        told = await asyncio.gather(
            *(engine.add(SessionRequest(key(place), [2])) for place in (0, 1)), return_exceptions=True
        )
        assert [str(one) for one in told] == ["the disk is full"] * 2
        store.fails = False
        check(await engine.add(SessionRequest(key(0), [3])), [1, 3])

    run(worker_of(store=store), use)


def test_one_events_mistake_is_its_own() -> None:
    async def use(engine: Engine) -> None:
        events = [SessionRequest(key(0), [1]), SessionRequest(key(1), [1], model="none"), SessionRequest(key(2), [1])]
        first, second, third = await asyncio.gather(*map(engine.add, events), return_exceptions=True)
        assert isinstance(second, ApiError)
        assert isinstance(first, SessionAnswer)
        assert isinstance(third, SessionAnswer)

    run(worker_of(), use)


def test_a_batch_that_fails_is_told_to_all() -> None:
    def no_time() -> float:
        raise OSError("no clock")

    async def use(engine: Engine) -> None:
        told = await asyncio.gather(
            *(engine.add(SessionRequest(key(0), [1])) for _ in range(3)), return_exceptions=True
        )
        assert [str(one) for one in told] == ["no clock"] * 3

    run(worker_of(clock=no_time), use)


def test_a_batch_that_fails_halfway_leaves_nothing_half_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def half(histories: Sequence[LiveHistory], item_ids: Sequence[ItemId]) -> None:
        add_together(histories, item_ids)
        raise RuntimeError("out of memory")

    worker = worker_of()
    worker.run([SessionRequest(key(0), [1, 2])])
    with monkeypatch.context() as patch:
        patch.setattr("gsrec.serving.live.add_together", half)
        outcome = worker.run([SessionRequest(key(0), [3])])
        assert [str(error) for error in outcome.errors.values()] == ["out of memory"]
    check(worker.run([SessionRequest(key(0), [4])]).answers[0], [1, 2, 3, 4])  # 3 is kept: it was stored before


def test_who_stops_waiting_does_no_harm() -> None:
    async def use(engine: Engine) -> None:
        waiting = [asyncio.create_task(engine.add(SessionRequest(key(0), [item]))) for item in (1, 2)]
        await asyncio.sleep(0)
        for one in waiting:
            one.cancel()
        check(await engine.add(SessionRequest(key(0), [3])), [1, 2, 3])

    run(worker_of(), use)


def test_closing_answers_what_waits() -> None:
    async def use() -> None:
        engine = Engine(worker_of())
        waiting = [asyncio.create_task(engine.add(SessionRequest(key(place), [1]))) for place in range(100)]
        await asyncio.sleep(0)
        await engine.close()
        assert all(one.done() and not one.exception() for one in waiting)
        with pytest.raises(ApiError, match="stopping"):
            await engine.add(SessionRequest(key(0), [1]))

    asyncio.run(use())


def test_a_swap_keeps_sessions_while_they_go_on() -> None:
    new = ServedModel("shop", Recommender(bundle_of(seed=2)))
    draw = random.Random(4)  # noqa: S311
    histories = {place: [draw.randint(1, NUM_ITEMS) for _ in range(3 + place)] for place in range(70)}

    async def use(engine: Engine) -> None:
        for place, history in histories.items():
            await engine.add(SessionRequest(key(place), history))
        swapping = asyncio.create_task(engine.swap(Models((new,))))
        while not swapping.done():
            place = draw.randrange(70)
            histories[place].append(draw.randint(1, NUM_ITEMS))
            answer = await engine.add(SessionRequest(key(place), histories[place][-1:]))
            check(answer, histories[place], answer.model)
        await swapping
        for place in range(70):
            histories[place].append(5)
            check(await engine.add(SessionRequest(key(place), [5])), histories[place], new)

    run(worker_of(), use)


def test_a_model_that_is_served_no_more_is_let_go() -> None:
    worker = worker_of()
    worker.run([SessionRequest(key(0), [1, 2])])
    ((_, session),) = worker.live.items()
    assert list(session.taken) == ["shop"]
    worker.swap(Models((ServedModel("other", Recommender(bundle_of(seed=2))),)), [])
    assert not session.taken


def test_a_swap_computes_live_sessions_before_it_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    new = ServedModel("shop", Recommender(bundle_of(seed=2)))
    steps: list[int] = []

    def watched(pairs: Sequence[tuple[Taken, Sequence[ItemId]]]) -> Iterator[int]:
        steps.append(len(pairs[0][1]))
        return take(pairs)

    async def use(engine: Engine) -> None:
        await engine.add(SessionRequest(key(0), list(range(1, 21))))
        await engine.swap(Models((new,)))
        monkeypatch.setattr("gsrec.serving.batch.take", watched)
        check(await engine.add(SessionRequest(key(0), [5])), [*range(1, 21), 5], new)

    run(worker_of(), use)
    assert steps == [1]


def test_a_swap_knows_a_session_that_was_begun_anew() -> None:
    new, worker = ServedModel("shop", Recommender(bundle_of(seed=2))), worker_of()
    worker.run([SessionRequest(key(0), [1, 2, 3]), SessionRequest(key(1), [4])])
    taken = [Taken(new.recommender.bundle) for _ in range(2)]
    histories = ([1, 2, 3], [4])
    list(take(list(zip(taken, histories, strict=True))))
    worker.delete(key(0))
    worker.run([SessionRequest(key(0), [7, 9, 6, 2])])  # more than before, so that its number tells nothing
    loads = [Load(key(place), new, LiveSession(list(history), 1.0)) for place, history in enumerate(histories)]
    worker.swap(Models((new,)), [Loaded(load, has) for load, has in zip(loads, taken, strict=True)])
    answers = worker.run([SessionRequest(key(0), [8]), SessionRequest(key(1), [5])]).answers
    check(answers[0], [7, 9, 6, 2, 8], new)
    check(answers[1], [4, 5], new)


def test_a_session_deleted_while_it_is_loaded_begins_anew() -> None:
    store = memory()
    store.append([(key(0), [1] * (MAX_GAP + 1))], 1.0)

    async def use(engine: Engine) -> None:
        waiting = asyncio.create_task(engine.add(SessionRequest(key(0), [2])))
        await asyncio.sleep(0)
        await engine.delete(key(0))
        answer = await waiting
        check(answer, [2] if answer.num_events == 1 else [1] * (MAX_GAP + 1) + [2])
        check(await engine.add(SessionRequest(key(0), [3])), [2, 3] if answer.num_events == 1 else [3])

    run(worker_of(store=store), use)


def test_many_events_at_once_let_others_pass() -> None:
    done: list[int] = []

    async def use(engine: Engine) -> None:
        async def add(place: int, item_ids: list[int]) -> None:
            check(await engine.add(SessionRequest(key(place), item_ids)), histories[place])
            done.append(place)

        histories = {0: list(range(1, 31)) * 3, 1: [1], 2: [2]}
        await asyncio.gather(*(add(place, history) for place, history in histories.items()))
        histories[0].append(5)
        await add(0, [5])

    run(worker_of(), use)
    assert done == [1, 2, 0, 0]


def test_all_work_is_done_on_one_thread() -> None:
    threads: set[str] = set()

    class Watched(FailingStore):
        def append(self, events: Sequence[tuple[SessionKey, Sequence[ItemId]]], now: float) -> list[Appended]:
            threads.add(threading.current_thread().name)
            return super().append(events, now)

    async def use(engine: Engine) -> None:
        await asyncio.gather(*(engine.add(SessionRequest(key(place), [1])) for place in range(50)))

    run(worker_of(store=Watched()), use)
    assert len(threads) == 1


def test_a_state_that_will_be_full_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("no step is needed")

    monkeypatch.setattr("gsrec.recommend.together._step", refuse)
    taken = Taken(bundle_of("sasrec"))
    assert list(take([(taken, [1, 99, *range(1, 13)])])) == [0]
    assert (taken.count, len(taken.history.items)) == (14, 13)


def test_memory_keeps_the_sessions_used_last(tmp_path: Path) -> None:
    async def use(engine: Engine) -> None:
        for place in (0, 1, 0, 2):
            await engine.add(SessionRequest(key(place), [1]))

    worker = worker_of(most=2)
    run(worker, use)
    assert [one.session_id for one, _ in worker.live.items()] == ["s0", "s2"]
