"""What one batch of session events does: kept first, then taken in together, then answered together.

All of this runs on one thread, the only one that changes live sessions and writes events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gsrec.data.vocabulary import ItemId
from gsrec.errors import GSRecError
from gsrec.recommend.index import ItemIndex
from gsrec.recommend.recommendation import Recommendation
from gsrec.recommend.rules import ItemRules, Rules
from gsrec.recommend.together import LiveHistory, recommend_together
from gsrec.serving.errors import ApiError
from gsrec.serving.live import LiveSession, LiveSessions, Taken, take
from gsrec.serving.models import Models, ServedModel
from gsrec.serving.store import SessionKey, SessionStore

MAX_SESSION = 10_000
"""The most events of a session."""

MAX_STEPS = 16
"""The most events of a session that are taken in by one batch; the others wait for the next, behind nobody."""

MAX_GAP = 128
"""The most events that may be missing in a state; where there are more, it is computed anew on the side."""


@dataclass(frozen=True, eq=False)
class SessionRequest:
    """New events of a session, to be answered with what comes next.

    Attributes:
        key: whose session.
        item_ids: the new events, oldest first.
        k: how many items are wanted.
        model: which model answers; None: the default.
        filter_seen: leave out the items of the session; None: as the model was judged.
        rules: which items may come; None: all.
        is_kept: whether the store has them already, and they are only to be taken in and answered.
    """

    key: SessionKey
    item_ids: Sequence[ItemId]
    k: int = 10
    model: str | None = None
    filter_seen: bool | None = None
    rules: Rules | None = None
    is_kept: bool = False


@dataclass(frozen=True)
class SessionAnswer:
    """What comes next in a session, from which model, and how many events it has now."""

    model: ServedModel
    recommendation: Recommendation
    num_events: int


@dataclass(frozen=True, eq=False)
class Load:
    """A session whose state must be computed before it can go on.

    Attributes:
        key: whose session.
        model: whose state.
        session: a copy of it as it was then.
    """

    key: SessionKey
    model: ServedModel
    session: LiveSession


@dataclass(frozen=True, eq=False)
class Loaded:
    """The same, computed."""

    load: Load
    taken: Taken


@dataclass(eq=False)
class Outcome:
    """What a batch came to, by the place of each request.

    Attributes:
        answers: what came out.
        errors: why nothing did.
        loads: what must be loaded first, then the request comes again.
        unfinished: what is kept, and must come again to be taken in further.
    """

    answers: dict[int, SessionAnswer] = field(default_factory=dict)
    errors: dict[int, Exception] = field(default_factory=dict)
    loads: dict[int, Load] = field(default_factory=dict)
    unfinished: dict[int, SessionRequest] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Ready:
    """A request whose events can be taken in."""

    place: int
    request: SessionRequest
    model: ServedModel
    session: LiveSession
    rules: ItemRules | None


class Worker:
    """Does batches."""

    def __init__(self, models: Models, store: SessionStore, live: LiveSessions, clock: Callable[[], float]) -> None:
        """Serve these models from this store; `clock` gives Unix seconds."""
        self.models = models
        self.live = live
        self._store, self._clock = store, clock

    def run(self, requests: Sequence[SessionRequest], loaded: Sequence[Loaded] = ()) -> Outcome:
        """Take in the requests of a batch.

        Args:
            requests: (B,), each session once.
            loaded: sessions that were asked for before.
        """
        for computed in loaded:
            self._install(computed)
        outcome, now = Outcome(), self._clock()
        ready = [one for place, request in enumerate(requests) if (one := self._ready(place, request, outcome, now))]
        if not ready:
            return outcome
        try:
            self._take_in(ready, outcome, now)
        except Exception as error:  # whatever it was, the store knows better than the memory now
            for one in ready:
                self.live.drop(one.request.key)
                outcome.errors[one.place] = error
        return outcome

    def swap(self, models: Models, warmed: Sequence[Loaded]) -> None:
        """Serve other models from here on, with the states that were computed for them.

        A session that was begun anew in the meantime has other events, and a state of those before is none of it.
        """
        self.models, live = models, dict(self.live.items())
        names = {model.name for model in models.all}
        for of_any in live.values():
            of_any.taken = {name: taken for name, taken in of_any.taken.items() if name in names}
        for one in warmed:
            session = live.get(one.load.key)
            if session is not None and session.item_ids[: one.taken.count] == one.load.session.item_ids:
                session.taken[one.load.model.name] = one.taken

    def delete(self, key: SessionKey) -> bool:
        """Forget a session; whether there was one."""
        self.live.drop(key)
        return self._store.delete(key)

    def _install(self, loaded: Loaded) -> None:
        load = loaded.load
        session = self.live.find(load.key, self._clock())
        if session is None:
            session = load.session
            self.live.put(load.key, session)
        session.taken[load.model.name] = loaded.taken

    def _ready(self, place: int, request: SessionRequest, outcome: Outcome, now: float) -> _Ready | None:
        """The request with all it needs; None where it is refused, or its session must be loaded first."""
        try:
            model = self.models.find(request.model)
            vocabulary = model.recommender.bundle.vocabulary
            request = replace(request, item_ids=vocabulary.own(request.item_ids))
            rules = request.rules.for_vocabulary(vocabulary) if request.rules else None
            session = self._session(request.key, now)
            if self._overflows(session, request):  # by memory, which does not know what other servers did
                self.live.drop(request.key)
                session = self._session(request.key, now)
            if self._overflows(session, request):
                told = f"a session takes at most {MAX_SESSION:,} events. Begin a new one."
                raise ApiError(422, "session_full", told, where="path.session_id")
        except (ApiError, GSRecError) as error:
            outcome.errors[place] = error
            return None
        taken = self._taken(session, model)
        if len(session.item_ids) - taken.count > MAX_GAP:
            outcome.loads[place] = Load(request.key, model, session.copy())
            return None
        return _Ready(place, request, model, session, rules)

    @staticmethod
    def _overflows(session: LiveSession, request: SessionRequest) -> bool:
        return not request.is_kept and len(session.item_ids) + len(request.item_ids) > MAX_SESSION

    def _session(self, key: SessionKey, now: float) -> LiveSession:
        session = self.live.find(key, now)
        if session is None:
            stored = self._store.read(key, now)
            session = LiveSession.of(stored) if stored else LiveSession(updated=now)
            self.live.put(key, session)
        return session

    def _taken(self, session: LiveSession, model: ServedModel) -> Taken:
        taken = session.taken.get(model.name)
        fits = taken is not None and taken.history.bundle is model.recommender.bundle
        if taken is None or not fits or taken.count > len(session.item_ids):
            taken = session.taken[model.name] = Taken(model.recommender.bundle)
        return taken

    def _take_in(self, ready: Sequence[_Ready], outcome: Outcome, now: float) -> None:
        self._keep([one for one in ready if not one.request.is_kept], now)
        for model in {one.model for one in ready}:
            of_model = [one for one in ready if one.model is model]
            taken = [self._taken(one.session, model) for one in of_model]
            pairs = list(zip(of_model, taken, strict=True))
            steps = [(has, one.session.item_ids[has.count : has.count + MAX_STEPS]) for one, has in pairs]
            deque(take(steps), maxlen=0)
            done = [(one, has) for one, has in pairs if has.count == len(one.session.item_ids)]
            self._answer([one for one, _ in done], [has.history for _, has in done], model.recommender.index, outcome)
            for one, has in pairs:
                if has.count < len(one.session.item_ids):
                    outcome.unfinished[one.place] = replace(one.request, is_kept=True)

    def _keep(self, new: Sequence[_Ready], now: float) -> None:
        appended = self._store.append([(one.request.key, one.request.item_ids) for one in new], now) if new else ()
        for one, (identity, total) in zip(new, appended, strict=True):
            session = one.session
            is_same = session.identity == identity or not session.item_ids
            session.item_ids += one.request.item_ids
            session.updated, session.identity = now, identity
            if not is_same or len(session.item_ids) != total:
                self._follow(one, now)

    def _follow(self, one: _Ready, now: float) -> None:
        """Read a session again that another server has changed, or begun anew, in the meantime."""
        stored = self._store.read(one.request.key, now)
        item_ids = list(stored.item_ids) if stored else list(one.request.item_ids)
        count = max(taken.count for taken in one.session.taken.values())
        if item_ids[:count] != one.session.item_ids[:count]:
            one.session.taken.clear()
        one.session.item_ids = item_ids

    def _answer(
        self, ready: Sequence[_Ready], users: Sequence[LiveHistory], index: ItemIndex | None, outcome: Outcome
    ) -> None:
        """Recommend to all that want the same in the same way at once."""
        groups: dict[tuple[int, bool | None, ItemRules | None], list[int]] = {}
        for place, one in enumerate(ready):
            groups.setdefault((one.request.k, one.request.filter_seen, one.rules), []).append(place)
        for (k, filter_seen, rules), places in groups.items():
            found = recommend_together(
                [users[place] for place in places], k, filter_seen=filter_seen, rules=rules, index=index
            )
            for place, recommendation in zip(places, found, strict=True):
                one = ready[place]
                outcome.answers[one.place] = SessionAnswer(one.model, recommendation, len(one.session.item_ids))
