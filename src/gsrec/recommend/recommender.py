"""A trained model as its users meet it: their own item ids in, their own item ids out.

Legend: B histories, L length, K recommendations, V items.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from gsrec.bundle import BUNDLE_FOLDER, Bundle, load_bundle
from gsrec.data.batches import padded_rows
from gsrec.data.vocabulary import ItemId
from gsrec.errors import ConfigError, DataError
from gsrec.models.blocks import item_scores
from gsrec.models.protocols import SequenceEncoder
from gsrec.ranking import mask_seen, top_k
from gsrec.recommend.recommendation import Recommendation, named
from gsrec.recommend.session import Session, session_from_bytes

BATCH_SIZE = 128


@dataclass(frozen=True, eq=False)
class Recommender:
    """Recommends with the evaluator's own ranking code, so that what was measured is what is served."""

    bundle: Bundle

    @classmethod
    def load(cls, folder: str | Path) -> Recommender:
        """The recommender of a bundle, or of the folder of a run.

        Raises:
            BundleError: if the folder holds no bundle, or a damaged one.
        """
        folder = Path(folder)
        return cls(load_bundle(folder / BUNDLE_FOLDER if (folder / BUNDLE_FOLDER).is_dir() else folder))

    def session(self) -> Session:
        """A new session: events come in one by one."""
        return Session(self.bundle)

    def resume(self, content: bytes) -> Session:
        """A session out of the bytes of `Session.to_bytes`.

        Raises:
            BundleError: if they are damaged, or of another model.
        """
        return session_from_bytes(self.bundle, content)

    def recommend(
        self,
        history: Sequence[ItemId],
        k: int = 10,
        *,
        filter_seen: bool = True,
        exclude: Iterable[ItemId] = (),
        only: Iterable[ItemId] | None = None,
    ) -> Recommendation:
        """The K items most likely to come after a history.

        Args:
            history: item ids, oldest first.
            k: how many items.
            filter_seen: leave out the items of the history.
            exclude: item ids to leave out besides; unknown ones do not matter.
            only: the item ids to choose from, such as what is in stock; None: all.

        Raises:
            ConfigError: if k is not positive, or `only` names no item that the model knows.
            DataError: if the model knows no item of the history.
        """
        return self.recommend_all([history], k, filter_seen=filter_seen, exclude=exclude, only=only)[0]

    def recommend_all(
        self,
        histories: Sequence[Sequence[ItemId]],
        k: int = 10,
        *,
        filter_seen: bool = True,
        exclude: Iterable[ItemId] = (),
        only: Iterable[ItemId] | None = None,
    ) -> list[Recommendation]:
        """The K items most likely to come after each history; arguments and errors as for `recommend`."""
        if k < 1:
            raise ConfigError(f"k must be at least 1, found {k}")
        barred = self._barred(exclude, only)
        known = [self._known(history) for history in histories]
        answers: list[Recommendation] = []
        for start in range(0, len(known), BATCH_SIZE):
            answers += self._answer(known[start : start + BATCH_SIZE], k, filter_seen, barred)
        return [
            Recommendation(answer.items, answer.scores, len(history) - items.size)
            for answer, history, items in zip(answers, histories, known, strict=True)
        ]

    @torch.inference_mode()
    def similar_items(self, item_id: ItemId, k: int = 10) -> Recommendation:
        """The K items whose vectors point most nearly the same way; their scores are cosines, -1 to 1.

        Raises:
            ConfigError: if k is not positive, or the model has no item vectors.
            DataError: if the model does not know the item.
        """
        if k < 1:
            raise ConfigError(f"k must be at least 1, found {k}")
        if not isinstance(self.bundle.model, SequenceEncoder):
            raise ConfigError(f"{self.bundle.config.name} has no item vectors to compare. Use another model.")
        (item,) = self._known([item_id])
        vectors = functional.normalize(self.bundle.model.item_weights)  # (V + 1, D)
        cosines = item_scores(vectors[item][None], vectors, None)  # (1, V + 1)
        mask_seen(cosines, torch.tensor([[item]]))
        values, items = top_k(cosines, min(k, len(self.bundle.vocabulary)))
        return named(self.bundle.vocabulary, items[0], values[0])

    def _barred(self, exclude: Iterable[ItemId], only: Iterable[ItemId] | None) -> torch.Tensor | None:
        """(n,) int64, item indices that are no candidates whatever the history; None: there are none."""
        if only is None and exclude == ():
            return None
        barred = np.unique(self.bundle.vocabulary.encode(exclude))
        if only is not None:
            wanted = self.bundle.vocabulary.encode(only)
            if not wanted.any():
                raise ConfigError("`only` names no item that the model knows: there is nothing to recommend")
            barred = np.union1d(barred, np.setdiff1d(np.arange(1, len(self.bundle.vocabulary) + 1), wanted))
        return torch.from_numpy(barred.astype(np.int64))

    def _known(self, history: Sequence[ItemId]) -> np.ndarray:
        """(L,) int64, the item indices of a history without the unknown ones."""
        items = self.bundle.vocabulary.encode(history)
        known = items[items > 0]
        if not known.size:
            given = ", ".join(map(repr, list(history)[:3])) or "nothing"
            raise DataError(
                f"the model knows no item of this history ({given}): it was trained on {self.bundle.data.name} with "
                f"{len(self.bundle.vocabulary):,} items, such as {self.bundle.vocabulary.ids[0]!r}."
            )
        return known

    @torch.inference_mode()
    def _answer(
        self, histories: list[np.ndarray], k: int, filter_seen: bool, barred: torch.Tensor | None
    ) -> list[Recommendation]:
        seen = _rows(histories)
        newest = self.bundle.model.max_length
        scores = self.bundle.model.score(_rows([history[-newest:] for history in histories]) if newest else seen)
        mask_seen(scores, seen if filter_seen else seen[:, :0])
        if barred is not None:
            scores[:, barred] = -torch.inf
        values, items = top_k(scores, min(k, len(self.bundle.vocabulary)))
        return [named(self.bundle.vocabulary, *row) for row in zip(items, values, strict=True)]


def _rows(histories: list[np.ndarray]) -> torch.Tensor:
    """Histories under each other, (B, L) int64, right-padded with 0."""
    if len(histories) == 1:
        return torch.from_numpy(histories[0])[None]
    ends = np.cumsum([history.size for history in histories])
    starts = np.concatenate([[0], ends[:-1]])
    return torch.from_numpy(padded_rows(np.concatenate(histories), starts, ends))
