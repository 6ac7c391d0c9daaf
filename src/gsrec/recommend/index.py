"""The best items of large catalogues: exactly, or out of candidates that compressed items give (extra `ann`).

Legend: B queries, N queries to measure by, V items, D hidden, K best items, F candidates, S barred items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gsrec.bundle import Bundle
from gsrec.data.log import InteractionLog
from gsrec.data.vocabulary import PADDING
from gsrec.errors import ConfigError
from gsrec.extras import needed
from gsrec.models.protocols import Scorer, SequenceEncoder, StreamingEncoder
from gsrec.models.scores import item_scores, newest_hidden
from gsrec.ranking import MEMORY_BUDGET, check_k, mask_seen, newest_rows, top_k

MEASURED_K = 10
"""Of how many best items the recall is measured."""

TRIED = ((32, 150), (32, 500), (32, 1000), (64, 1000), (64, 3000))
"""Half bytes that an item is compressed to, about, and candidates: the first that reach the recall are taken."""

TRAINING_ITEMS = 100_000
"""Items that the compression learns from at most."""

FEWEST_ITEMS = 2_000
"""With fewer items there is nothing to be gained."""

MEASURED_USERS, MEASURED_AT_ONCE = 1_000, 50
"""Users of a log whose histories an index is measured by, at most, and how many of them are encoded together."""

LARGE_SHARE = 4
"""From one candidate in so many items on, all items are scored instead."""

_BYTES = 4


@dataclass(frozen=True, eq=False)
class ItemIndex:
    """Finds the items with the greatest products with a hidden vector.

    All scores are exact. With codes only the candidates that they give are scored: items are compressed to half a byte
    for every few dimensions, whose products with a query are looked up in the processor's registers, all items in a
    row (product quantization; Andre, Kermarrec and Le Scouarnec, PVLDB 2015).

    >>> index = ItemIndex(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    >>> index.search(torch.tensor([[1.0, 0.5]]), 2, torch.tensor([[3]]))
    (tensor([[1.0000, 0.5000]]), tensor([[1, 2]]))

    Attributes:
        weights: (V + 1, D) float32, as of a `SequenceEncoder`.
        bias: (V + 1,) float32, or None.
        codes: the compressed items (a faiss index); None: all items are scored.
        half_bytes: an item is compressed to.
        candidates: items that are scored for the 10 best.
        recall: share of the 10 best items that are found, as measured.
    """

    weights: Tensor
    bias: Tensor | None = None
    codes: Any = None
    half_bytes: int = 0
    candidates: int = 0
    recall: float = 1.0

    @property
    def num_items(self) -> int:
        """V."""
        return self.weights.shape[0] - 1

    @torch.inference_mode()
    def search(self, hidden: Tensor, k: int, barred: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The K best items for every query, as many at a time as a few megabytes hold.

        Args:
            hidden: (B, D) float32.
            k: how many items.
            barred: (B, S) int64, items to leave out, 0 is padding; None: none.

        Returns:
            Scores (B, K) float32 and items (B, K) int64, best first, of equal ones the lower item first; item 0 with
            minus infinity where there are no more.

        Raises:
            ConfigError: if k is not positive.
        """
        check_k(k)
        if barred is None:
            barred = torch.zeros(hidden.shape[0], 0, dtype=torch.int64)
        # A barred item may take a candidate's place, so there is one more for each.
        wanted = self.candidates * -(-k // MEASURED_K) + barred.shape[1]
        exact = self.codes is None or LARGE_SHARE * wanted > self.num_items
        row = self.num_items + 1 if exact else wanted * self.weights.shape[1]
        rows = max(1, MEMORY_BUDGET // (_BYTES * row))
        found = [
            self._exact(*part, k) if exact else self._among(*part, k, wanted)
            for part in zip(hidden.split(rows), barred.split(rows), strict=True)
        ]
        return torch.cat([scores for scores, _ in found]), torch.cat([items for _, items in found])

    def _exact(self, hidden: Tensor, barred: Tensor, k: int) -> tuple[Tensor, Tensor]:
        scores = item_scores(hidden, self.weights, self.bias)
        mask_seen(scores, barred)
        return top_k(scores, k)

    def _among(self, hidden: Tensor, barred: Tensor, k: int, wanted: int) -> tuple[Tensor, Tensor]:
        """The best of the candidates, scored exactly."""
        queries = _widened(hidden, None if self.bias is None else 1.0, self.codes.d)
        places = torch.from_numpy(self.codes.search(queries, wanted)[1])  # (B, F)
        if bool((places < 0).any()):  # faiss finds nothing for a query of zeros
            return ItemIndex(self.weights, self.bias).search(hidden, k, barred)
        items = F.pad(places + 1, (1, 0)).sort(1).values  # (B, F + 1), item 0 first: of equal scores the lower wins
        scores = torch.bmm(self.weights[items], hidden[:, :, None])[:, :, 0]
        if self.bias is not None:
            scores += self.bias[items]
        scores.masked_fill_((items == PADDING) | _contained(items, barred), -torch.inf)
        values, best = top_k(scores, k)
        return values, items.gather(1, best).masked_fill(values == -torch.inf, PADDING)


@torch.inference_mode()
def query_of(model: Scorer, items: Tensor) -> Tensor:
    """The hidden vectors (B, D) whose products with the items are the model's scores after histories (B, L) int64.

    Raises:
        ConfigError: if the model has none.
    """
    return newest_hidden(searched(model), items)


def index_of(bundle: Bundle, log: InteractionLog, *, recall: float = 0.95) -> ItemIndex:
    """Build the index of a model's items, measured by the histories of users spread over a log.

    Raises:
        MissingExtraError: if faiss is not installed.
        ConfigError: if the model has no hidden vectors to search with, or a weight is not finite.
        DataError: if the model knows no item of the log.
    """
    model, sequences = searched(bundle.model), bundle.known_events(log).to_sequences(bundle.vocabulary)
    step = -(-sequences.num_users // MEASURED_USERS)
    starts, ends = sequences.offsets[:-1][::step], sequences.offsets[1:][::step]
    queries = [
        query_of(
            bundle.model, torch.from_numpy(newest_rows(sequences.items, starts[some], ends[some], model.max_length))
        )
        for some in (slice(at, at + MEASURED_AT_ONCE) for at in range(0, len(starts), MEASURED_AT_ONCE))
    ]
    return build_index(model.item_weights, model.item_bias, torch.cat(queries), recall=recall)


@torch.inference_mode()
def build_index(weights: Tensor, bias: Tensor | None, queries: Tensor, *, recall: float = 0.95) -> ItemIndex:
    """Build an index that finds enough of the 10 best items; an exact one, where compression finds too few.

    Args:
        weights: (V + 1, D) float32, as of a `SequenceEncoder`.
        bias: (V + 1,) float32, or None.
        queries: (N, D) float32, hidden vectors as they will be asked for, some hundred of them: to measure by.
        recall: share of the 10 best items that must be found, 0 to 1.

    Raises:
        MissingExtraError: if faiss is not installed.
        ConfigError: if there are no queries, or a weight or bias is not finite.
    """
    if not len(queries):
        raise ConfigError("there are no queries to measure an index by: give some hundred hidden vectors")
    for name, part in (("weights", weights), ("bias", bias)):
        if part is not None and not bool(part.isfinite().all()):
            raise ConfigError(f"the items' {name} must be finite, found NaN or infinity: train the model again")
    exact = ItemIndex(weights.detach(), None if bias is None else bias.detach())
    if exact.num_items < FEWEST_ITEMS:
        return exact
    best = exact.search(queries, MEASURED_K)[1]
    codes, compressed_to = None, 0
    for half_bytes, candidates in TRIED:
        if half_bytes != compressed_to:
            codes, compressed_to = _compressed(exact.weights, exact.bias, half_bytes), half_bytes
        index = ItemIndex(exact.weights, exact.bias, codes, half_bytes, candidates)
        found = index.search(queries, MEASURED_K)[1]
        share = float((best[:, :, None] == found[:, None]).any(2).float().mean())
        if share >= recall:
            return ItemIndex(exact.weights, exact.bias, codes, half_bytes, candidates, share)
    return exact


def searched(model: Scorer) -> SequenceEncoder:
    """The model, if an index can search for what it scores.

    Raises:
        ConfigError: if not.
    """
    if not isinstance(model, SequenceEncoder) or not isinstance(model, StreamingEncoder):
        raise ConfigError("there is no index for this model, only for those that stream: GSRec, SASRec and GRU4Rec")
    return model


def _compressed(weights: Tensor, bias: Tensor | None, half_bytes: int) -> Any:
    """A faiss index that keeps about so many half bytes of every item, of weights (V + 1, D) and bias (V + 1,)."""
    faiss = needed("faiss")
    together = max(1, weights.shape[1] // half_bytes)  # dimensions
    parts = -(-(weights.shape[1] + (bias is not None)) // together)
    items = _widened(weights[1:], None if bias is None else bias[1:], parts * together)
    codes = faiss.IndexPQFastScan(items.shape[1], parts, 4, faiss.METRIC_INNER_PRODUCT)
    codes.train(items[:: -(-len(items) // TRAINING_ITEMS)])
    codes.add(items)
    return codes


def _widened(vectors: Tensor, last: Tensor | float | None, width: int) -> np.ndarray:
    """Vectors (n, D), then `last` if there is one, then zeros: (n, width)."""
    size = vectors.shape[1]
    wide = F.pad(vectors, (0, width - size))
    if last is not None:
        wide[:, size] = last
    return wide.numpy()


def _contained(items: Tensor, barred: Tensor) -> Tensor:
    """(B, F) bool, which of the items (B, F) are among the barred ones (B, S) of their row."""
    if not barred.shape[1]:
        return torch.zeros_like(items, dtype=torch.bool)
    barred = barred.sort(1).values
    places = torch.searchsorted(barred, items).clamp_max(barred.shape[1] - 1)
    return barred.gather(1, places) == items
