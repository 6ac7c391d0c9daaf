"""Events of many users taken in together: one step of the model, one product with the items, one selection.

Legend: B users, V items, D hidden, K recommendations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gsrec.bundle import Bundle
from gsrec.data.vocabulary import ItemId
from gsrec.models.protocols import SequenceEncoder, State, StreamingEncoder, looked_at
from gsrec.models.scores import scores_of
from gsrec.ranking import check_k
from gsrec.recommend.answering import answers
from gsrec.recommend.index import ItemIndex
from gsrec.recommend.recommendation import Recommendation
from gsrec.recommend.rules import NO_RULES, ItemRules, Rules


class Seen:
    """The items of a history, each once, ready to be masked however long the history grows."""

    def __init__(self) -> None:
        """Begin without any."""
        self._known: set[int] = set()
        self._buffer = np.zeros(64, dtype=np.int64)

    def add(self, item: int) -> None:
        """Take in an item."""
        if item in self._known:
            return
        if len(self._known) == self._buffer.size:
            self._buffer = np.concatenate([self._buffer, np.zeros_like(self._buffer)])
        self._buffer[len(self._known)] = item
        self._known.add(item)

    def items(self) -> np.ndarray:
        """(S,) int64."""
        return self._buffer[: len(self._known)]


class LiveHistory:
    """One user's events, and what the model keeps of them.

    Attributes:
        bundle: the model.
        items: item indices of the events that the model knows, oldest first.
        seen: the same, each once.
        num_unknown: how many other events there were.
        state: of a model that streams, until it is full; None: newest events are computed again.
        hidden: (1, D) float32, the hidden vector at the newest event, where the model streams.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Begin with the model's own first state."""
        self.bundle = bundle
        self.items: list[int] = []
        self.seen = Seen()
        self.num_unknown = 0
        self.state = bundle.model.start(1) if isinstance(bundle.model, StreamingEncoder) else None
        self.hidden: Tensor | None = None

    def append(self, item: int) -> None:
        """Write down an event; the model has not seen it yet."""
        self.items.append(item)
        self.seen.add(item)

    def is_full(self) -> bool:
        """Whether there are more events than a state can take."""
        most = self.bundle.model.max_events if isinstance(self.bundle.model, StreamingEncoder) else 0
        return most is not None and len(self.items) > most


@torch.inference_mode()
def add_together(histories: Sequence[LiveHistory], item_ids: Sequence[ItemId]) -> list[bool]:
    """Take in one more event of every history, all of one model; of a session, it is its `history`.

    Args:
        histories: (B,), each of another user.
        item_ids: (B,), the event of each.

    Returns:
        (B,), whether the model knows the item; where not, it is counted and left out.
    """
    if not histories:
        return []
    items = histories[0].bundle.vocabulary.encode(item_ids).tolist()
    streaming: list[LiveHistory] = []
    for history, item in zip(histories, items, strict=True):
        if not item:
            history.num_unknown += 1
            continue
        history.append(item)
        if history.state is not None and history.is_full():
            history.state = history.hidden = None
        if history.state is not None:
            streaming.append(history)
    if streaming:
        _step(streaming)
    return [bool(item) for item in items]


def _step(histories: Sequence[LiveHistory]) -> None:
    """One step of the model for users whose newest item is not in their state yet."""
    step = histories[0].bundle.step
    assert step is not None
    states = [history.state for history in histories if history.state is not None]
    items = torch.tensor([history.items[-1] for history in histories])
    if len(histories) == 1:
        histories[0].state, histories[0].hidden = step(states[0], items)
        return
    parts = tuple(torch.cat(rows) for rows in zip(*(state.parts for state in states), strict=True))
    state, hidden = step(State(torch.cat([state.events for state in states]), parts), items)
    for place, history in enumerate(histories):
        row = slice(place, place + 1)
        own = tuple(part[row].clone() for part in state.parts)  # a view would keep all the others' alive
        history.state, history.hidden = State(state.events[row].clone(), own), hidden[row].clone()


@torch.inference_mode()
def scores_together(histories: Sequence[LiveHistory]) -> Tensor:
    """Scores (B, V + 1) float32 of what comes next for users (B,) of one model, B at least 1.

    Of a user without an event they are how often every item was taken in training.
    """
    hidden = [history.hidden for history in histories]
    model = histories[0].bundle.model
    if isinstance(model, SequenceEncoder) and all(one is not None for one in hidden):
        return scores_of(model, torch.cat([one for one in hidden if one is not None]))
    return torch.cat([_scores(history) for history in histories])


def _scores(history: LiveHistory) -> Tensor:
    """Scores (1, V + 1) for one user."""
    model = history.bundle.model
    if not history.items:
        return history.bundle.counts[None].float()
    if isinstance(model, SequenceEncoder) and history.hidden is not None:
        return scores_of(model, history.hidden)
    return model.score(torch.tensor([looked_at(model, history.items)]))


def recommend_together(
    histories: Sequence[LiveHistory],
    k: int,
    *,
    filter_seen: bool | None = None,
    rules: Rules | ItemRules | None = None,
    index: ItemIndex | None = None,
) -> list[Recommendation]:
    """The K items most likely to come next for users (B,) of one model; with its index those that this finds.

    Items of the users' sessions are left out if `filter_seen` says so, or, where it is None, if they were when the
    model was judged.

    Raises:
        ConfigError: if k is not positive, or rules leave nothing.
    """
    check_k(k)
    if not histories:
        return []
    bundle, hidden = histories[0].bundle, [history.hidden for history in histories if history.hidden is not None]
    found = answers(
        bundle,
        [history.seen.items() for history in histories],
        k,
        score=lambda: scores_together(histories),
        hidden=(lambda: torch.cat(hidden)) if len(hidden) == len(histories) else None,
        rules=rules.for_vocabulary(bundle.vocabulary) if isinstance(rules, Rules) else rules or NO_RULES,
        index=index,
        filter_seen=filter_seen,
    )
    return [replace(one, num_unknown=history.num_unknown) for one, history in zip(found, histories, strict=True)]
