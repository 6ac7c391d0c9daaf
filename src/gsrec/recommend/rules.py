"""What a business allows to be recommended, whatever the model thinks.

Legend: B histories, V items, K recommendations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from gsrec.data.vocabulary import ItemId, Vocabulary
from gsrec.errors import ConfigError
from gsrec.models.protocols import CountingScorer, Scorer
from gsrec.ranking import top_k

LEAST_BOOST, GREATEST_BOOST = 1e-6, 1e6


@dataclass(frozen=True, eq=False)
class Rules:
    """Rules for what may be recommended; item ids that the model does not know do not matter.

    Attributes:
        exclude: items that never are.
        only: the items to choose from, such as what is in stock; None: all.
        boosts: by item, what its chance is multiplied by, from a millionth to a million; 1 changes nothing. The
            factor's logarithm is added to a model's score; where scores are counts of training events, they are
            multiplied.
        categories: by item, the category it counts for.
        quotas: by category, the most of its items among the K; a category that is not named has none.
    """

    exclude: Collection[ItemId] = ()
    only: Collection[ItemId] | None = None
    boosts: Mapping[ItemId, float] = field(default_factory=dict)
    categories: Mapping[ItemId, str] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check items, factors and quotas."""
        for name, items in (("exclude", self.exclude), ("only", self.only)):
            if isinstance(items, str):
                told = f"`{name}` must be a collection of item ids, found the string {items!r}"
                raise ConfigError(f"{told}. Use [{items!r}].")
        for item_id, factor in self.boosts.items():
            if not LEAST_BOOST <= factor <= GREATEST_BOOST:
                told = f"a boost must be a factor from {LEAST_BOOST:g} to {GREATEST_BOOST:,g}"
                raise ConfigError(f"{told}, found {factor} for item {item_id!r}")
        for category, most in self.quotas.items():
            if most < 0:
                raise ConfigError(f"a quota must be 0 or more, found {most} for category {category!r}")

    def for_vocabulary(self, vocabulary: Vocabulary) -> ItemRules:
        """The same in item indices, to be used again and again.

        Raises:
            ConfigError: if `only` names no item that the model knows.
        """
        boosted = vocabulary.encode(self.boosts).tolist()
        factors = {item: factor for item, factor in zip(boosted, self.boosts.values(), strict=True) if item}
        limited = [item_id for item_id, category in self.categories.items() if category in self.quotas]
        items = vocabulary.encode(limited)
        return ItemRules(
            barred=self._barred(vocabulary),
            chosen=self.only is not None,
            boosted=torch.tensor([*factors], dtype=torch.int64),
            factors=torch.tensor([*factors.values()], dtype=torch.float32),
            categories={int(item): self.categories[one] for item, one in zip(items, limited, strict=True) if item},
            quotas=dict(self.quotas),
        )

    def _barred(self, vocabulary: Vocabulary) -> Tensor:
        excluded = vocabulary.encode(self.exclude)
        if self.only is None:
            return torch.from_numpy(excluded.astype(np.int64))
        wanted = vocabulary.encode(self.only)
        if not wanted.any():
            raise ConfigError("`only` names no item that the model knows: there is nothing to recommend")
        is_barred = np.ones(len(vocabulary) + 1, dtype=bool)
        is_barred[wanted] = False
        is_barred[excluded] = True
        return torch.from_numpy(np.flatnonzero(is_barred))


def rules_of(exclude: Collection[ItemId], only: Collection[ItemId] | None, rules: Rules | None) -> Rules | None:
    """The rules, or else those that `exclude` and `only` make; None where nothing is given.

    Raises:
        ConfigError: if both are given, or items are one string.
    """
    if not len(exclude) and only is None:
        return rules
    if rules is not None:
        raise ConfigError("`exclude` and `only` were given beside `rules`: give them as Rules(exclude=..., only=...)")
    return Rules(exclude, only)


def rows_of_counts(model: Scorer, are_empty: Sequence[bool]) -> list[int]:
    """The rows whose scores are counts of training events: those of empty histories, and all of a model that counts."""
    return [row for row, is_empty in enumerate(are_empty) if is_empty or isinstance(model, CountingScorer)]


@dataclass(frozen=True, eq=False)
class ItemRules:
    """Rules in item indices.

    Attributes:
        barred: (n,) int64, what is never recommended.
        chosen: whether that is all but some that were named.
        boosted: (m,) int64, whose chances are changed.
        factors: (m,) float32, how many times as high they are.
        categories: by item, its category, where that has a quota.
        quotas: the most items of a category.
    """

    barred: Tensor
    chosen: bool
    boosted: Tensor
    factors: Tensor
    categories: Mapping[int, str]
    quotas: Mapping[str, int]

    @property
    def can_search(self) -> bool:
        """Whether an index may be searched: all they do is to take some items out of the race."""
        return not (self.chosen or len(self.boosted) or self.quotas)

    def barred_with(self, seen: Tensor) -> Tensor:
        """What is out of the race (B, S + n), seen items (B, S) int64 included."""
        return torch.cat([seen, self.barred.expand(len(seen), -1)], 1)

    def best(self, scores: Tensor, k: int, counted: Sequence[int] = ()) -> tuple[Tensor, Tensor]:
        """The K best items of each row under these rules, as `top_k` gives them.

        Args:
            scores: (B, V + 1) float32, with `mask_seen` done: changed.
            k: how many.
            counted: the rows whose scores are counts.

        Returns:
            The scores (B, K) float32 and the items (B, K) int64.
        """
        if len(self.boosted):
            boosted = scores[:, self.boosted]
            changed = boosted + self.factors.log()
            places = list(counted)  # an empty list is no row; an empty tuple would be all
            changed[places] = boosted[places] * self.factors
            scores[:, self.boosted] = changed
        if len(self.barred):
            scores[:, self.barred] = -torch.inf
        if not self.quotas:
            return top_k(scores, k)
        rows = [self._within_quotas(row[None], k) for row in scores]
        return torch.cat([values for values, _ in rows]), torch.cat([items for _, items in rows])

    def _within_quotas(self, scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The best of one row (1, V + 1), going down the ranking and leaving out what is over its quota."""
        looked_at = k
        while True:
            values, items = top_k(scores, min(looked_at, scores.shape[1] - 1))
            places = self._chosen(items[0].tolist(), k)
            if len(places) == k or looked_at >= scores.shape[1] - 1:
                break
            looked_at *= 4
        found = torch.tensor(places, dtype=torch.int64)
        padded = values.new_full((1, k), -torch.inf), items.new_zeros(1, k)
        padded[0][0, : len(places)], padded[1][0, : len(places)] = values[0, found], items[0, found]
        return padded

    def _chosen(self, items: list[int], k: int) -> list[int]:
        """The places of the first K items that no quota keeps out."""
        taken: Counter[str] = Counter()
        places: list[int] = []
        for place, item in enumerate(items):
            category = self.categories.get(item)
            if not item or len(places) == k:
                break
            if category is not None:
                if taken[category] >= self.quotas[category]:
                    continue
                taken[category] += 1
            places.append(place)
        return places


_NO_ITEMS = torch.zeros(0, dtype=torch.int64)

NO_RULES = ItemRules(_NO_ITEMS, False, _NO_ITEMS, torch.zeros(0), {}, {})
"""Nothing is forbidden."""
