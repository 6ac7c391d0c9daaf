"""A trained model as its users meet it: their own item ids in, their own item ids out.

Legend: B histories, L length, K recommendations, V items.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import polars as pl
import torch
from narwhals.typing import IntoFrame

from gsrec.bundle import Bundle, bundle_place, load_bundle
from gsrec.data.build import log_from_frame
from gsrec.data.log import InteractionLog
from gsrec.data.vocabulary import ItemId
from gsrec.errors import ConfigError, DataError
from gsrec.models.protocols import SequenceEncoder, looked_at
from gsrec.models.scores import item_scores
from gsrec.progress import Progress
from gsrec.ranking import check_k, mask_seen, tiles, top_k
from gsrec.recommend.answering import answers, rows_of
from gsrec.recommend.everyone import recommend_users
from gsrec.recommend.explain import Explanation, explain
from gsrec.recommend.index import ItemIndex, query_of
from gsrec.recommend.index_files import load_index_of
from gsrec.recommend.recommendation import Recommendation, named
from gsrec.recommend.rules import NO_RULES, ItemRules, Rules, rules_of
from gsrec.recommend.session import Session, session_from_bytes


@dataclass(frozen=True, eq=False)
class Recommender:
    """Recommends with the evaluator's own ranking code, so that what was measured is what is served.

    Attributes:
        bundle: the model.
        index: finds the best of very many items, nearly all of them; None: all are scored, exactly. Boosts, quotas and
            `only` are always exact.
    """

    bundle: Bundle
    index: ItemIndex | None = None

    def __repr__(self) -> str:
        """Print what it recommends by and among."""
        return (
            f"Recommender({self.bundle.config.name}, {len(self.bundle.vocabulary):,} items of {self.bundle.data.name})"
        )

    @classmethod
    def load(cls, path: str | Path, *, index: str | Path | None = None) -> Recommender:
        """The recommender of a bundle (a folder, or a `.gsrec` file), or of the folder of a run.

        Args:
            path: of the bundle or run.
            index: the folder that `gsrec index` wrote for it.

        Raises:
            BundleError: if there is no bundle or index, or a damaged one, or the index is of another model.
            ConfigError: if the model can have no index.
        """
        recommender = cls(load_bundle(bundle_place(Path(path))))
        return recommender if index is None else recommender.with_index(index)

    def with_index(self, folder: str | Path) -> Recommender:
        """The same, with an index that `gsrec index` wrote for this model.

        Raises:
            BundleError: if it is missing, damaged, or of another model.
            ConfigError: if the model can have none.
            MissingExtraError: if faiss is not installed.
        """
        return replace(self, index=load_index_of(self.bundle, Path(folder)))

    def session(self) -> Session:
        """A new session: events come in one by one."""
        return Session(self.bundle, self.index)

    def resume(self, content: bytes) -> Session:
        """A session out of the bytes of `Session.to_bytes`.

        Raises:
            BundleError: if they are damaged, or of another model.
        """
        return session_from_bytes(self.bundle, content, self.index)

    @overload
    def recommend(  # type: ignore[overload-overlap]  # a string is a sequence of strings too
        self,
        history: Sequence[ItemId],
        k: int = 10,
        *,
        filter_seen: bool | None = None,
        exclude: Collection[ItemId] = (),
        only: Collection[ItemId] | None = None,
        rules: Rules | None = None,
    ) -> Recommendation: ...

    @overload
    def recommend(
        self,
        history: Sequence[Sequence[ItemId]],
        k: int = 10,
        *,
        filter_seen: bool | None = None,
        exclude: Collection[ItemId] = (),
        only: Collection[ItemId] | None = None,
        rules: Rules | None = None,
    ) -> list[Recommendation]: ...

    def recommend(
        self,
        history: Sequence[ItemId] | Sequence[Sequence[ItemId]],
        k: int = 10,
        *,
        filter_seen: bool | None = None,
        exclude: Collection[ItemId] = (),
        only: Collection[ItemId] | None = None,
        rules: Rules | None = None,
    ) -> Recommendation | list[Recommendation]:
        """The K items most likely to come after a history, or after each of several.

        A history without any item that the model knows is answered with the items taken most in training; its
        recommendation says so in `source`.

        Args:
            history: item ids, oldest first; or several such histories.
            k: how many items.
            filter_seen: leave out the items of the history; None: as the model was judged.
            exclude: item ids to leave out besides; unknown ones do not matter.
            only: the item ids to choose from, such as what is in stock; None: all.
            rules: instead of `exclude` and `only`, all that rules can say.

        Returns:
            A recommendation for one history, an empty one too; a list of them for several, in their order.

        Raises:
            ConfigError: if k is not positive, a history is a string or has no order, a string stands for items,
                `exclude` or `only` are given beside `rules`, or these leave no item that the model knows.
        """
        check_k(k)
        rules = rules_of(exclude, only, rules)
        of_items = rules.for_vocabulary(self.bundle.vocabulary) if rules else NO_RULES
        given = [_plain(one) for one in _in_order(history)]
        many = [_in_order(one) for one in given if isinstance(one, Iterable) and not isinstance(one, str)]
        if many and len(many) < len(given):
            raise ConfigError("a history must be item ids, or all histories lists of item ids: found a mixture")
        encoded = [self.bundle.vocabulary.encode(one) for one in many or [given]]
        found = self._answers(encoded, k, filter_seen, of_items)
        return found if many else found[0]

    def recommend_users(
        self,
        log: InteractionLog | IntoFrame,
        k: int = 10,
        *,
        filter_seen: bool | None = None,
        exclude: Collection[ItemId] = (),
        only: Collection[ItemId] | None = None,
        rules: Rules | None = None,
        progress: Progress | None = None,
    ) -> pl.DataFrame:
        """The same for every user of a log or a data frame; see `gsrec.recommend.everyone.recommend_users`.

        Raises:
            DataError: if it is neither, or the model knows no item of it.
        """
        rules = rules_of(exclude, only, rules)
        log = log if isinstance(log, InteractionLog) else log_from_frame(log)
        return recommend_users(self.bundle, log, k, filter_seen=filter_seen, rules=rules, progress=progress)

    @torch.inference_mode()
    def similar_items(self, item_id: ItemId, k: int = 10) -> Recommendation:
        """The K items whose vectors point most nearly the same way; their scores are cosines, -1 to 1.

        Raises:
            ConfigError: if k is not positive, or the model has no item vectors.
            DataError: if the model does not know the item.
        """
        check_k(k)
        model, lengths = self.bundle.model, self.bundle.item_lengths
        if lengths is None or not isinstance(model, SequenceEncoder):
            raise ConfigError(f"{self.bundle.config.name} has no item vectors to compare. Use another model.")
        item = int(self.bundle.vocabulary.encode([item_id])[0])
        if not item:
            raise DataError(f"the model does not know the item {item_id!r}: {self._such_as()}")
        products = item_scores(model.item_weights[item][None], model.item_weights, None)  # (1, V + 1)
        cosines = products / (lengths[item] * lengths)
        mask_seen(cosines, torch.tensor([[item]]))
        values, items = top_k(cosines, min(k, len(self.bundle.vocabulary)))
        return named(self.bundle.vocabulary, items[0], values[0])

    def explain(
        self, history: Sequence[ItemId], item_id: ItemId | None = None, *, progress: Progress | None = None
    ) -> Explanation:
        """Why an item has its score after a history; see `gsrec.recommend.explain.explain`.

        Args:
            history: item ids, oldest first.
            item_id: the item; None: the one that is recommended first.
            progress: told how many events are left out so far, and of how many.

        Raises:
            DataError: if the model does not know the item.
            ConfigError: if it knows no event of the history, or nothing is left to recommend.
        """
        if item_id is None:
            best = self.recommend(history, 1).items
            if not best:
                raise ConfigError("the history holds every item: nothing is left to recommend. Name an item.")
            item_id = best[0]
        return explain(self.bundle, _in_order(history), item_id, progress=progress)

    def _such_as(self) -> str:
        return (
            f"it was trained on {self.bundle.data.name} with {len(self.bundle.vocabulary):,} items, such as "
            f"{self.bundle.vocabulary.ids[0]!r}."
        )

    def _answers(
        self, histories: list[np.ndarray], k: int, filter_seen: bool | None, rules: ItemRules
    ) -> list[Recommendation]:
        """Recommendations after histories (L,) int64 of item indices, 0 for an unknown item."""
        known = [items[items > 0] for items in histories]
        found: dict[int, Recommendation] = {}
        lengths = np.array([items.size for items in known])
        for places in tiles(lengths, num_items=len(self.bundle.vocabulary), max_length=self.bundle.model.max_length):
            some = self._answer([known[place] for place in places], k, filter_seen, rules)
            for place, one in zip(places.tolist(), some, strict=True):
                found[place] = replace(one, num_unknown=len(histories[place]) - known[place].size)
        return [found[place] for place in range(len(histories))]

    def _answer(
        self, histories: list[np.ndarray], k: int, filter_seen: bool | None, rules: ItemRules
    ) -> list[Recommendation]:
        model = self.bundle.model
        given = rows_of([looked_at(model, history) for history in histories])
        return answers(
            self.bundle,
            histories,
            k,
            score=lambda: model.score(given),
            hidden=lambda: query_of(model, given),
            rules=rules,
            index=self.index,
            filter_seen=filter_seen,
        )


def _plain(given: Any) -> Any:
    """Arrays and tensors as lists of Python's own numbers, or as one of these."""
    return given.tolist() if hasattr(given, "tolist") else given


def _in_order(history: Any) -> list[Any]:
    """The events of a history, or histories, that some kind of sequence holds.

    Raises:
        ConfigError: if it is something else.
    """
    if isinstance(history, str):
        raise ConfigError(f"a history must be a sequence of item ids, found the string {history!r}. Use [{history!r}].")
    events = _plain(history)
    if isinstance(events, bytes | bytearray | Mapping | Set) or not isinstance(events, Iterable):
        kind = type(history).__name__
        raise ConfigError(f"a history must be a sequence of item ids, oldest first, found one {kind}")
    return list(events)
