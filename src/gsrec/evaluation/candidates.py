"""Which items a target is ranked among: the whole catalogue, or a sample as in some papers.

Sampled metrics do not keep the order of models (Krichene and Rendle, On sampled metrics for item recommendation,
KDD 2020). They are here to compare with papers that use them.

Legend: M targets, C candidates, V items, U users.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gsrec.data.sequences import Sequences
from gsrec.data.splits import Targets
from gsrec.data.vocabulary import PADDING
from gsrec.errors import ConfigError

CandidateKind = Literal["full", "popularity", "uniform", "given"]
_KINDS: dict[str, CandidateKind] = {"popularity": "popularity", "uniform": "uniform", "given": "given"}

_DRAWS_PER_ITEM = 3
"""Draws with replacement for every item wanted: enough for nearly all users, so that races are few."""


@dataclass(frozen=True)
class Candidates:
    """A rule for the candidates of a target.

    Attributes:
        kind: `full` for the whole catalogue; `popularity` for items drawn in proportion to their training events;
            `uniform` for items drawn alike; `given` for those that an `Evaluator` is given.
        count: how many there are for each target; 0 for `full`.
    """

    kind: CandidateKind
    count: int = 0


def parse_candidates(text: str) -> Candidates:
    """Read `full`, `popularity:100`, `uniform:100`, or `given:100` for those that an `Evaluator` is given.

    >>> parse_candidates("popularity:100")
    Candidates(kind='popularity', count=100)

    Raises:
        ConfigError: if it is none of them.
    """
    if text == "full":
        return Candidates("full")
    match = re.fullmatch(r"(popularity|uniform|given):([1-9][0-9]{0,8})", text)
    if match is None:
        raise ConfigError(
            f"candidates must be full, popularity:N or uniform:N with N a number of at least 1, found {text!r}. "
            "Those of one's own are given in Python, as given:N (docs/extending.md)."
        )
    return Candidates(_KINDS[match[1]], int(match[2]))


def draw_candidates(
    candidates: Candidates, targets: Targets, sequences: Sequences, *, popularity: np.ndarray, seed: int
) -> np.ndarray:
    """Draw every target's candidates, one after the other without replacement: weighted ones as if from an urn.

    No item of the user's whole sequence, held-out events included, is ever drawn, so neither is the target. An item
    without training events has no weight under `popularity`. Where fewer items than asked are left, all are taken.

    Args:
        candidates: a sampled rule.
        targets: the M targets.
        sequences: the histories.
        popularity: (V + 1,) int64, training events of every item index.
        seed: draws are a pure function of it and of the data.

    Returns:
        (M, C) int32, item indices, filled up with 0; C is never more than V.
    """
    count = min(candidates.count, sequences.num_items)
    weights = (popularity if candidates.kind == "popularity" else np.ones_like(popularity)).astype(np.float64)
    weights[PADDING] = 0.0
    urn = _Urn(weights, np.random.default_rng(seed))
    drawn = np.zeros((len(targets), count), dtype=np.int32)
    for row, user in enumerate(targets.users):
        own = sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]]
        items = urn.draw(count, without=own)
        drawn[row, : items.size] = items
    return drawn


class _Urn:
    """Items to be drawn without replacement in proportion to weights (V + 1,)."""

    def __init__(self, weights: np.ndarray, generator: np.random.Generator) -> None:
        self._weights = weights
        self._generator = generator
        self._cumulative = np.cumsum(weights)

    def draw(self, count: int, without: np.ndarray) -> np.ndarray:
        """Up to `count` distinct items (n,) in the order drawn, none of them among `without`.

        Drawing with replacement and leaving out what was drawn before is the same in law as drawing without. What a
        limited number of such draws leaves open, a race among all the items left decides: the same in law again.
        """
        left = self._weights > 0  # (V + 1,)
        left[without] = False
        places = self._generator.random(_DRAWS_PER_ITEM * count) * self._cumulative[-1]
        draws = np.searchsorted(self._cumulative[:-1], places, side="right")
        draws = draws[left[draws]]
        items = draws[np.sort(np.unique(draws, return_index=True)[1])][:count]
        left[items] = False
        return np.concatenate([items, self._race(count - items.size, left)]) if items.size < count else items

    def _race(self, count: int, left: np.ndarray) -> np.ndarray:
        """The first `count` to arrive of the items `left` (V + 1,) bool, each after an exponential time."""
        runners = np.flatnonzero(left)
        times = self._generator.exponential(size=runners.size) / self._weights[runners]
        return runners[np.argsort(times, kind="stable")[:count]]
