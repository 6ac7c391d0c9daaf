"""Sessions: an event comes in, what comes next goes out, without the history being computed again.

Legend: V items, K recommendations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gsrec.bundle import Bundle
from gsrec.data.vocabulary import ItemId
from gsrec.errors import BundleError, ConfigError
from gsrec.models.blocks import item_scores
from gsrec.models.protocols import SequenceEncoder, State, StreamingEncoder
from gsrec.ranking import mask_seen, top_k
from gsrec.recommend.recommendation import Recommendation, named

META = "gsrec"
"""The key of a session's facts in the header of its file."""


class Session:
    """One user's events, and what the model keeps of them.

    A model that streams takes each event in a time that does not grow with the history, and scores as it would the
    whole history at once. One that does not, or whose state is full (`is_exact_stream` is then false), computes its
    newest events again for every recommendation: the same numbers, more slowly.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Begin without events."""
        self.bundle = bundle
        self.items: list[int] = []
        self.num_unknown = 0
        self._encoder = bundle.model if isinstance(bundle.model, SequenceEncoder) else None
        self._stream = bundle.model if isinstance(bundle.model, StreamingEncoder) else None
        self._state = self._stream.start(1) if self._stream else None
        self._hidden: Tensor | None = None  # (1, D), of the newest event

    def __len__(self) -> int:
        """How many events the model knows of."""
        return len(self.items)

    @property
    def is_exact_stream(self) -> bool:
        """Whether the next event is taken in without computing earlier ones again."""
        return self._state is not None

    @torch.inference_mode()
    def add(self, *item_ids: ItemId) -> int:
        """Take in events, oldest first; gives how many of them the model did not know and left out."""
        items = self.bundle.vocabulary.encode(item_ids)
        known = items[items > 0].tolist()
        for item in known:
            self._step(item)
        self.num_unknown += len(items) - len(known)
        return len(items) - len(known)

    def _step(self, item: int) -> None:
        self.items.append(item)
        if self._stream is None or self._state is None:
            return
        if self._is_full():
            self._state = self._hidden = None
            return
        self._state, self._hidden = self._stream.step(self._state, torch.tensor([item]))

    def _is_full(self) -> bool:
        """Whether there are more events than a state can take."""
        most = self._stream.max_events if self._stream else 0
        return most is not None and len(self.items) > most

    @torch.inference_mode()
    def scores(self) -> Tensor:
        """The model's scores (1, V + 1) of what comes next.

        Raises:
            ConfigError: if the session has no event that the model knows.
        """
        if not self.items:
            raise ConfigError("the session has no event that the model knows: add one first")
        if self._hidden is not None and self._encoder is not None:
            return item_scores(self._hidden, self._encoder.item_weights, self._encoder.item_bias)
        model = self.bundle.model
        newest = self.items if model.max_length is None else self.items[-model.max_length :]
        return model.score(torch.tensor([newest]))

    @torch.inference_mode()
    def recommend(self, k: int = 10, *, filter_seen: bool = True, exclude: Iterable[ItemId] = ()) -> Recommendation:
        """The K items most likely to come next.

        Args:
            k: how many items.
            filter_seen: leave out the items of the session.
            exclude: item ids to leave out besides; unknown ones do not matter.

        Raises:
            ConfigError: if k is not positive, or the session has no event that the model knows.
        """
        if k < 1:
            raise ConfigError(f"k must be at least 1, found {k}")
        scores = self.scores()
        barred = np.concatenate([self.items if filter_seen else [], self.bundle.vocabulary.encode(exclude)])
        mask_seen(scores, torch.from_numpy(barred.astype(np.int64))[None])
        values, items = top_k(scores, min(k, len(self.bundle.vocabulary)))
        return named(self.bundle.vocabulary, items[0], values[0], num_unknown=self.num_unknown)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over the state that `to_bytes` wrote, of a session whose items are there already.

        Raises:
            BundleError: if it does not fit the model and the items.
        """
        expected = self._state
        if expected is None or self._is_full():
            self._state, fitting = None, not tensors
        else:
            shapes = {f"part{place}": part.shape for place, part in enumerate(expected.parts)}
            if self.items and self._encoder:
                shapes["hidden"] = torch.Size((1, self._encoder.item_weights.shape[1]))
            fitting = {name: tensor.shape for name, tensor in tensors.items()} == shapes and all(
                tensor.dtype == torch.float32 and bool(tensor.isfinite().all()) for tensor in tensors.values()
            )
            if fitting:
                parts = tuple(tensors[f"part{place}"] for place in range(len(expected.parts)))
                self._state = State(torch.tensor([len(self.items)]), parts)
                self._hidden = tensors.get("hidden")
        if not fitting:
            raise BundleError("this session's state is damaged. Begin a new one, and add its events again.")

    def to_bytes(self) -> bytes:
        """The whole session as safetensors: to be kept, or to go on in another process with the same model."""
        tensors = {"items": torch.tensor(self.items, dtype=torch.int64)}
        if self._state is not None:
            tensors |= {f"part{place}": part.contiguous() for place, part in enumerate(self._state.parts)}
        if self._hidden is not None:
            tensors["hidden"] = self._hidden.clone()
        facts = {"model": self.bundle.fingerprint, "num_unknown": self.num_unknown}
        return save(tensors, metadata={META: json.dumps(facts)})


def session_from_bytes(bundle: Bundle, content: bytes) -> Session:
    """Read a session that `Session.to_bytes` wrote for this model; nothing in it can run code.

    Raises:
        BundleError: if the bytes are damaged, or of another model.
    """
    session = Session(bundle)
    try:
        tensors, facts = load(content), _facts(content)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise BundleError(f"these bytes are no session: {error}. Begin a new one, and add its events again.") from error
    if facts.get("model") != bundle.fingerprint:
        raise BundleError("this session is of another model: begin a new one, and add its events again.")
    items, num_unknown = tensors.pop("items", None), facts.get("num_unknown")
    if items is None or not _is_history(items, len(bundle.vocabulary)) or not isinstance(num_unknown, int):
        raise BundleError("this session's events are damaged. Begin a new one, and add its events again.")
    session.items, session.num_unknown = items.tolist(), num_unknown
    session.restore(tensors)
    return session


def _facts(content: bytes) -> dict[str, object]:
    """The facts in the header of a safetensors file: 8 bytes say how long the header is, then it comes as JSON."""
    size = int.from_bytes(content[:8], "little")
    return dict(json.loads(json.loads(content[8 : 8 + size])["__metadata__"][META]))


def _is_history(items: Tensor, num_items: int) -> bool:
    if items.dtype != torch.int64 or items.dim() != 1:
        return False
    return not len(items) or bool((items >= 1).all() & (items <= num_items).all())
