"""Which item_id an item index stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from gsrec.data.table import spells_integers
from gsrec.errors import DataError

ItemId = int | str

PADDING = 0
"""The item index that stands for no item: never a candidate, never a negative, never recommended."""

INTEGER = re.compile(r"0|-?[1-9][0-9]{0,99}")
"""How an id that is an integer is spelled; `007` is another id."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """A lasting order of item ids: the id at place p has item index p + 1. It only ever grows at its end.

    >>> vocabulary = Vocabulary.of(["ham", "eggs"])
    >>> vocabulary.encode(["eggs", "spam"])
    array([2, 0])
    >>> vocabulary.decode(np.array([2, 1]))
    ['eggs', 'ham']
    >>> vocabulary.extended(["spam", "ham"]).encode(["ham", "eggs", "spam"])
    array([1, 2, 3])

    Attributes:
        ids: (V,) the users' own ids in the order of their item indices, integers or strings, each once.
    """

    ids: pl.Series

    def __post_init__(self) -> None:
        """Check that every id is there once."""
        if self.ids.dtype not in (pl.Int64, pl.String):
            raise DataError(f"item ids must be integers or strings, found {self.ids.dtype}")
        if self.ids.null_count() or self.ids.n_unique() != self.ids.len():
            raise DataError("a vocabulary must hold every item id once and no missing one")

    @classmethod
    def of(cls, ids: Iterable[ItemId]) -> Vocabulary:
        """Build a vocabulary of these ids in this order.

        Raises:
            DataError: if ids are of mixed types, missing or repeated.
        """
        try:
            return cls(pl.Series("item_id", list(ids), strict=True))
        except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
            raise DataError(f"item ids must be all integers or all strings: {error}") from error

    def __len__(self) -> int:
        """The number of items V."""
        return int(self.ids.len())

    def __repr__(self) -> str:
        """Print the size and the type of the ids."""
        return f"Vocabulary({len(self):,} items, {'strings' if self.ids.dtype == pl.String else 'integers'})"

    @cached_property
    def _ids(self) -> list[ItemId]:
        return list(self.ids.to_list())

    @cached_property
    def _items(self) -> dict[ItemId, int]:
        return {item_id: item for item, item_id in enumerate(self._ids, start=1)}

    def encode(self, ids: Iterable[ItemId]) -> np.ndarray:
        """Item indices of these ids, (n,) int64; 0 for an id that is not known. `"7"` stands for 7, and 7 for `"7"`."""
        return np.fromiter((self._items.get(item_id) or self._spelled(item_id) for item_id in ids), dtype=np.int64)

    def own(self, ids: Iterable[ItemId]) -> list[ItemId]:
        """The same ids as they stand in this vocabulary: 7 for `"7"`, or `"7"` for 7; unknown ones as they are.

        >>> Vocabulary.of([7, 8]).own(["7", 8, "spam"])
        [7, 8, 'spam']
        """
        return [
            self._ids[item - 1] if item_id not in self._items and (item := self._spelled(item_id)) else item_id
            for item_id in ids
        ]

    def _spelled(self, item_id: ItemId) -> int:
        """The index of an id that was given as a string where the ids are integers, or the other way round; else 0."""
        if isinstance(item_id, str) == (self.ids.dtype == pl.String):
            return PADDING
        text = str(item_id)
        if not isinstance(item_id, str):
            return self._items.get(text, PADDING)
        return self._items.get(int(text), PADDING) if INTEGER.fullmatch(text) else PADDING

    def decode(self, items: np.ndarray) -> list[ItemId]:
        """The ids that these item indices (n,) stand for.

        Raises:
            DataError: if an index is outside 1..V.
        """
        items = np.asarray(items)
        if items.size and (items.min() < 1 or items.max() > len(self)):
            raise DataError(f"item indices must be within 1..{len(self)}, found {items.min()}..{items.max()}")
        return self.decode_list(items.tolist())

    def decode_list(self, items: Iterable[int]) -> list[ItemId]:
        """The same of plain integers that are known to be within 1..V."""
        return [self._ids[item - 1] for item in items]

    def ids_as(self, dtype: pl.DataType) -> pl.Series:
        """The ids (V,) as a log's column of Int64 or String holds them; null for one that is none of these integers.

        >>> Vocabulary.of(["7", "x7", "007"]).ids_as(pl.Int64()).to_list()
        [7, None, None]
        """
        if dtype == self.ids.dtype or dtype == pl.String:
            return self.ids.cast(dtype)
        integers = pl.when(spells_integers(pl.all())).then(pl.all().cast(pl.Int64, strict=False))
        return self.ids.to_frame().select(integers).to_series()

    def parse(self, text: str) -> ItemId:
        """Read an id as it would be typed: as an integer where the ids are integers.

        Raises:
            DataError: if the ids are integers and the text is not one.
        """
        if self.ids.dtype == pl.String:
            return text
        if not INTEGER.fullmatch(text):
            raise DataError(f"item ids of this log are integers, found {text!r}")
        return int(text)

    def extended(self, ids: Iterable[ItemId]) -> Vocabulary:
        """A vocabulary with the unknown ones among these ids appended; all known ids keep their index.

        As everywhere, `"7"` stands for 7, and 7 for `"7"`.

        Raises:
            DataError: if those that are there are integers, and one of these is none.
        """
        plain = (item_id.item() if isinstance(item_id, np.generic) else item_id for item_id in ids)
        return Vocabulary.of(dict.fromkeys([*self._ids, *map(self._alike, plain)]))

    def _alike(self, item_id: ItemId) -> ItemId:
        """The id, known or not, as one of the type of those that are there."""
        if self.ids.dtype == pl.String:
            return str(item_id) if isinstance(item_id, int) else item_id
        if not isinstance(item_id, str):
            return item_id
        if not INTEGER.fullmatch(item_id):
            raise DataError(
                f"the item ids so far are integers, and {item_id!r} is none. If it is an item of this catalogue, "
                "train a new model: it takes all ids as strings"
            )
        return int(item_id)
