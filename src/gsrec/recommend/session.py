"""Sessions: an event comes in, what comes next goes out, without the history being computed again.

Legend: V items, D hidden, K recommendations.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gsrec.bundle import Bundle
from gsrec.bundle.storage import header_of
from gsrec.data.vocabulary import ItemId
from gsrec.errors import BundleError, ConfigError
from gsrec.models.protocols import SequenceEncoder, State, StreamingEncoder
from gsrec.recommend.index import ItemIndex
from gsrec.recommend.recommendation import Recommendation
from gsrec.recommend.rules import Rules, rules_of
from gsrec.recommend.together import LiveHistory, add_together, recommend_together, scores_together

META = "gsrec"
"""The key of a session's facts in the header of its file."""


class Session:
    """One user's events, and what the model keeps of them.

    A model that streams takes each event in a time that does not grow with the history, and scores as it would the
    whole history at once. One that does not, or whose state is full (`is_exact_stream` is then false), computes its
    newest events again for every recommendation: the same numbers, more slowly.
    """

    def __init__(self, bundle: Bundle, index: ItemIndex | None = None) -> None:
        """Begin without events; with an index, recommend what that finds."""
        self.bundle, self.index = bundle, index
        self.history = LiveHistory(bundle)

    def __len__(self) -> int:
        """How many events the model knows of."""
        return len(self.history.items)

    @property
    def item_ids(self) -> list[ItemId]:
        """The events that the model knows, oldest first."""
        return self.bundle.vocabulary.decode_list(self.history.items)

    @property
    def is_exact_stream(self) -> bool:
        """Whether the next event is taken in without computing earlier ones again."""
        return self.history.state is not None

    def add(self, *item_ids: ItemId) -> int:
        """Take in events, oldest first; gives how many of them the model did not know and left out.

        Raises:
            ConfigError: if one is no item id.
        """
        for item_id in item_ids:
            if not isinstance(item_id, int | str | np.integer):
                kind = type(item_id).__name__
                raise ConfigError(f"an event is an item id, found one {kind}. Of a history: session.add(*history).")
        return sum(not add_together([self.history], [item_id])[0] for item_id in item_ids)

    def scores(self) -> Tensor:
        """The model's scores (1, V + 1) of what comes next; how often items were taken, where there is no event."""
        return scores_together([self.history])

    def recommend(
        self,
        k: int = 10,
        *,
        filter_seen: bool | None = None,
        exclude: Collection[ItemId] = (),
        only: Collection[ItemId] | None = None,
        rules: Rules | None = None,
    ) -> Recommendation:
        """The K items most likely to come next; the most popular ones, where there is no event that the model knows.

        Args:
            k: how many items.
            filter_seen: leave out the items of the session; None: as the model was judged.
            exclude: item ids to leave out besides; unknown ones do not matter.
            only: the item ids to choose from; None: all.
            rules: instead of `exclude` and `only`, all that rules can say.

        Raises:
            ConfigError: if k is not positive, a string stands for items, `exclude` or `only` are given beside `rules`,
                or these leave no item that the model knows.
        """
        rules = rules_of(exclude, only, rules)
        return recommend_together([self.history], k, filter_seen=filter_seen, rules=rules, index=self.index)[0]

    def to_bytes(self) -> bytes:
        """The whole session as safetensors: to be kept, or to go on in another process with the same model."""
        tensors = {"items": torch.tensor(self.history.items, dtype=torch.int64)}
        if self.history.state is not None:
            tensors |= {f"part{place}": part.contiguous() for place, part in enumerate(self.history.state.parts)}
        if self.history.hidden is not None:
            tensors["hidden"] = self.history.hidden.clone()
        facts = {"model": self.bundle.fingerprint, "num_unknown": self.history.num_unknown}
        return save(tensors, metadata={META: json.dumps(facts)})


def session_from_bytes(bundle: Bundle, content: bytes, index: ItemIndex | None = None) -> Session:
    """Read a session that `Session.to_bytes` wrote for this model; nothing in it can run code.

    Raises:
        BundleError: if the bytes are damaged, or of another model.
    """
    session = Session(bundle, index)
    try:
        tensors, facts = load(content), _facts(content)
    except (SafetensorError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise BundleError(f"these bytes are no session: {error}. Begin a new one, and add its events again.") from error
    if facts.get("model") != bundle.fingerprint:
        raise BundleError("this session is of another model: begin a new one, and add its events again.")
    items, num_unknown = tensors.pop("items", None), facts.get("num_unknown")
    if items is None or not _is_history(items, len(bundle.vocabulary)) or not isinstance(num_unknown, int):
        raise BundleError("this session's events are damaged. Begin a new one, and add its events again.")
    session.history.num_unknown = num_unknown
    for item in items.tolist():
        session.history.append(item)
    _restore(session.history, tensors)
    return session


def _restore(events: LiveHistory, tensors: Mapping[str, Tensor]) -> None:
    """Take over the state of a session whose items are there already, checked against the model and the items."""
    model, items = events.bundle.model, events.items
    fresh = events.state
    if fresh is None or (isinstance(model, StreamingEncoder) and len(items) > (model.max_events or len(items))):
        events.state, fitting = None, not tensors
    else:
        shapes = {f"part{place}": part.shape for place, part in enumerate(fresh.parts)}
        if items and isinstance(model, SequenceEncoder):
            shapes["hidden"] = torch.Size((1, model.item_weights.shape[1]))
        fitting = {name: tensor.shape for name, tensor in tensors.items()} == shapes and all(
            tensor.dtype == torch.float32 and bool(tensor.isfinite().all()) for tensor in tensors.values()
        )
        if fitting:
            parts = tuple(tensors[f"part{place}"] for place in range(len(fresh.parts)))
            events.state = State(torch.tensor([len(items)]), parts)
            events.hidden = tensors.get("hidden")
    if not fitting:
        raise BundleError("this session's state is damaged. Begin a new one, and add its events again.")


def _facts(content: bytes) -> dict[str, object]:
    """The facts in the header of a session's bytes."""
    return dict(json.loads(header_of(content)["__metadata__"][META]))


def _is_history(items: Tensor, num_items: int) -> bool:
    if items.dtype != torch.int64 or items.dim() != 1:
        return False
    return not len(items) or bool((items >= 1).all() & (items <= num_items).all())
