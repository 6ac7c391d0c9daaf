"""Titles of items, and finding items by them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gsrec.bundle import Bundle
from gsrec.data.columns import find_titles
from gsrec.data.formats import read_table
from gsrec.data.ids import read_ids
from gsrec.data.readers import explained
from gsrec.data.vocabulary import ItemId


def read_titles(path: Path | None) -> dict[str, str]:
    """The titles in a table of any format that logs can have, by the id as text; without a file, none.

    Raises:
        DataError: if it cannot be read, or has no columns of ids and titles.
    """
    if path is None:
        return {}
    with explained(path):
        table = read_table(path)
        item, title = find_titles(table.columns(), str(path))
        rows = table.collect([item, title]).drop_nulls()
        ids, _ = read_ids(rows[item], str(path), text=table.text)
        return dict(zip(ids.cast(pl.String), rows[title].cast(pl.String), strict=True))


@dataclass(frozen=True, eq=False)
class Titles:
    """What items are called.

    Attributes:
        by_id: the title of each item that has one.
        known: all items that can be found, the most popular first, with the title or else id, plainly.
        by_plain_id: the items of each id, written plainly.
    """

    by_id: Mapping[ItemId, str]
    known: tuple[tuple[ItemId, str], ...]
    by_plain_id: Mapping[str, Sequence[ItemId]]

    @classmethod
    def of(cls, bundles: Sequence[Bundle], titles: Mapping[str, str]) -> Titles:
        """The titles of all items of some models; popularity is the first model's."""
        popular = [item_id for bundle in bundles for item_id in _by_popularity(bundle)]
        ids = list(dict.fromkeys(popular))
        by_id = {item_id: titles[str(item_id)] for item_id in ids if str(item_id) in titles}
        by_plain_id: dict[str, list[ItemId]] = {}
        for item_id in ids:
            by_plain_id.setdefault(_plain(str(item_id)), []).append(item_id)
        known = tuple((item_id, _plain(by_id.get(item_id, str(item_id)))) for item_id in ids)
        return cls(by_id, known, by_plain_id)

    def get(self, item_id: ItemId) -> str | None:
        """The title of an item, if it is known."""
        return self.by_id.get(item_id)

    def find(self, query: str, limit: int) -> list[ItemId]:
        """Items whose title, or else id, has this text in it, or whose id it is, however it is written.

        First comes that of which it is the id, then those where a word begins with it, then others; popular ones first.
        """
        wanted = _plain(query)
        if query.strip() and not wanted:
            return []
        at_start = [*self.by_plain_id.get(wanted, ())]
        named, within = set(at_start), list[ItemId]()
        for item_id, text in self.known:
            if len(at_start) >= limit:
                break
            if wanted in text and item_id not in named:
                begins = text.startswith(wanted) or f" {wanted}" in text
                (at_start if begins else within).append(item_id)
        return (at_start + within)[:limit]


def _by_popularity(bundle: Bundle) -> list[ItemId]:
    order = bundle.counts[1:].argsort(descending=True, stable=True)  # (V,)
    return bundle.vocabulary.decode_list((order + 1).tolist())


def _plain(text: str) -> str:
    """Small letters without accents, words apart by single spaces."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(letter if letter.isalnum() else " " for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(letters.split())
