"""Why an item is recommended: what its score would be without each past event, and without a part of the model.

Legend: B variants, L length, V items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gsrec.bundle import Bundle
from gsrec.data.vocabulary import ItemId
from gsrec.errors import ConfigError, DataError
from gsrec.models import Model
from gsrec.models.blocks import Block
from gsrec.models.gsrec import ResidualRecurrence
from gsrec.models.protocols import looked_at
from gsrec.progress import Progress

AT_ONCE = 64
"""Histories that lack an event each, scored together."""


@dataclass(frozen=True)
class EventShare:
    """What one past event does for an item.

    Attributes:
        place: of the event in the history given, from 0.
        item_id: of the event.
        change: by how much the item's score is higher with the event than without it. Without the only event of a
            history the model is asked for an empty one, as it never is when it recommends.
    """

    place: int
    item_id: ItemId
    change: float


@dataclass(frozen=True)
class Explanation:
    """Why an item has its score after a history.

    Attributes:
        item_id: the item explained.
        score: the model's score of it.
        events: every event that the model knows and looks at, oldest first.
        attention: by how much the score is higher with what attention adds than without it; None: the model has no
            attention, or no way past it, so that it cannot be left out.
        recurrence: the same of the recurrence.
        num_unknown: events that the model does not know.
    """

    item_id: ItemId
    score: float
    events: tuple[EventShare, ...]
    attention: float | None
    recurrence: float | None
    num_unknown: int

    def record(self) -> dict[str, Any]:
        """The explanation as JSON."""
        return asdict(self)


@torch.inference_mode()
def explain(
    bundle: Bundle, history: Sequence[ItemId], item_id: ItemId, *, progress: Progress | None = None
) -> Explanation:
    """Why a model gives an item its score after a history, exactly: every event is left out once.

    Changes need not add up to the score: two events can say the same, and then neither is missed. The time grows with
    the square of the history's length, as the model is asked as often as there are events.

    Args:
        bundle: the model.
        history: item ids, oldest first.
        item_id: the item to explain.
        progress: told how many events are left out so far, and of how many.

    Raises:
        DataError: if the model does not know the item.
        ConfigError: if it knows no event of the history.
    """
    item, encoded = int(bundle.vocabulary.encode([item_id])[0]), bundle.vocabulary.encode(history)
    if not item:
        raise DataError(f"the model does not know the item {item_id!r}: there is nothing to explain")
    places = np.flatnonzero(encoded)
    if not places.size:
        raise ConfigError("the history has no event that the model knows: popularity alone speaks, nothing explains it")
    newest = looked_at(bundle.model, places)
    score = float(_scores(bundle, encoded[newest][None], item)[0])
    without = _scores_without(bundle, encoded[places], len(newest), item, progress)
    shares = zip(newest.tolist(), without.tolist(), strict=True)
    events = bundle.vocabulary.own(history)
    return Explanation(
        bundle.vocabulary.own([item_id])[0],
        score,
        tuple(EventShare(place, events[place], score - other) for place, other in shares),
        *_parts(bundle, encoded[newest], item, score),
        num_unknown=int((encoded == 0).sum()),
    )


def _scores(bundle: Bundle, histories: np.ndarray, item: int) -> Tensor:
    """The score (B,) of one item after histories (B, L) int64."""
    return bundle.model.score(torch.from_numpy(histories))[:, item]


def _scores_without(bundle: Bundle, history: np.ndarray, length: int, item: int, progress: Progress | None) -> Tensor:
    """The item's scores (L,) after a history without its Lth newest event, and so on to without its newest one.

    A model that looks at the newest L events looks at the one before them instead of one that is missing.
    """
    if history.size == 1:
        return bundle.model.score(torch.zeros(1, 1, dtype=torch.int64))[:, item]
    newest = history[-(length + 1) :]
    places = range(newest.size - length, newest.size)
    scores = []
    for start in range(0, length, AT_ONCE):
        left = np.array([np.delete(newest, place) for place in places[start : start + AT_ONCE]])
        scores.append(_scores(bundle, left, item))
        if progress is not None:
            progress(min(start + AT_ONCE, length), length)
    return torch.cat(scores)


def _parts(bundle: Bundle, history: np.ndarray, item: int, score: float) -> tuple[float | None, float | None]:
    """What attention and the recurrence add to the item's score; None for a part that cannot be left out."""
    model = _copy_sharing_weights(bundle.model)
    blocks = [part for part in model.modules() if isinstance(part, Block)]
    joined = [part for part in model.modules() if isinstance(part, ResidualRecurrence) and part.is_there]
    changes: list[float | None] = []
    for ways in ([block.attention.out_projection for block in blocks], [part.out_projection for part in joined]):
        if not ways:
            changes.append(None)
            continue
        with _silent(ways):
            changes.append(score - float(model.score(torch.from_numpy(history[None]))[0, item]))
    return changes[0], changes[1]


def _copy_sharing_weights(model: Model) -> Model:
    """The same weights in another model, of which parts can be silenced while others use the first one."""
    shared = {id(weights): weights for weights in (*model.parameters(), *model.buffers())}
    return deepcopy(model, shared)


@contextmanager
def _silent(layers: Sequence[nn.Linear]) -> Iterator[None]:
    """For as long as it lasts, these layers give nothing."""
    handles = [layer.register_forward_hook(lambda module, given, found: torch.zeros_like(found)) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
