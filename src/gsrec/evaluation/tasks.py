"""A task that every scorer is given alike: which items to rank each target among, and after which history.

Legend: M targets, B targets of a tile, L newest events, S seen events, V items, C candidates, K cut-off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from gsrec.data.sequences import Sequences
from gsrec.data.splits import Targets
from gsrec.errors import ConfigError, DataError
from gsrec.evaluation.metrics import LARGEST_CUTOFF
from gsrec.models.protocols import Scorer
from gsrec.progress import Progress
from gsrec.ranking import MEMORY_BUDGET, mask_histories, rank_among, rank_of, score_histories, tiles, top_k

TOP = 10
"""The cut-off K of the lists of best items."""

ScoreTargets = Callable[[Targets], Tensor | np.ndarray]
"""Scores (B, V + 1) of every item for B targets, from a model that is not a `Scorer`: one of another library, say."""


@dataclass(frozen=True, eq=False)
class RankingTask:
    """Targets to be ranked among their candidates.

    Attributes:
        sequences: the histories.
        targets: the M events to be predicted.
        candidates: (M, C) int, the items that each target is ranked among besides itself, each once, 0 is padding; None
            for the whole catalogue. One of the history is never ahead of the target where what was seen is left out.
        filter_seen: whether items of a target's history are no candidates.
        learned: (V + 1,) bool, the items that the scorer could learn of; None: all. A target of another is a miss.

    Raises:
        ConfigError: if the candidates are of another shape, or no item indices, or a target is among its own, or one of
            them is there twice.
    """

    sequences: Sequences
    targets: Targets
    candidates: np.ndarray | None = None
    filter_seen: bool = True
    learned: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check the candidates."""
        if (given := self.candidates) is None:
            return
        if given.ndim != 2 or len(given) != len(self.targets) or given.dtype.kind not in "iu":
            expected = f"(M, C) integers with a row for each of the {len(self.targets):,} targets"
            raise ConfigError(f"candidates must be {expected}, found {given.shape} of {given.dtype}")
        if not ((given >= 0) & (given <= self.sequences.num_items)).all():
            most = self.sequences.num_items
            raise ConfigError(
                f"candidates must be item indices from 1 to {most:,}, or 0, found {given.min()} to {given.max()}"
            )
        ordered = np.sort(given, axis=1)
        if (twice := ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] > 0)).any(1)).any():
            raise ConfigError(f"a candidate counts once for a target, found one again in row {int(twice.argmax())}")
        if (own := (given == self.items[:, None]).any(1)).any():
            raise ConfigError(f"a target is not among its own candidates, found it there in row {int(own.argmax())}")

    def __repr__(self) -> str:
        """Print the sizes."""
        among = "all items" if self.candidates is None else f"{self.candidates.shape[1]} candidates"
        return f"RankingTask({len(self.targets):,} targets among {among}, filter_seen={self.filter_seen})"

    @cached_property
    def items(self) -> np.ndarray:
        """(M,) int64, the item of every target."""
        return np.asarray(self.sequences.items[self.targets.positions], dtype=np.int64)

    @cached_property
    def num_candidates(self) -> np.ndarray:
        """(M,) int64, how many items each target is ranked among, itself included even if it was seen before."""
        if self.candidates is not None:
            return np.asarray(np.count_nonzero(self.candidates, axis=1) + 1)
        if not self.filter_seen:
            return np.full(len(self.targets), self.sequences.num_items)
        first = self.sequences.first_occurrences
        distinct = np.concatenate([[0], np.cumsum(first)])
        seen = distinct[self.targets.positions] - distinct[self.targets.starts]
        return np.asarray(self.sequences.num_items - seen + ~first[self.targets.positions])

    @cached_property
    def can_be_hit(self) -> np.ndarray:
        """(M,) bool, the targets of items that could be learned of and are candidates."""
        is_candidate = self.sequences.first_occurrences[self.targets.positions] | (not self.filter_seen)
        return np.asarray(is_candidate if self.learned is None else is_candidate & self.learned[self.items])

    @cached_property
    def miss_ranks(self) -> np.ndarray:
        """(M,) int64, the rank of a target that is missed: the last one, and behind every metric's cut-off."""
        return np.asarray(np.maximum(self.num_candidates, LARGEST_CUTOFF + 1))

    def rank(
        self, scorer: Scorer, *, memory_budget: int = MEMORY_BUDGET, progress: Progress | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank all targets, in tiles: no matrix of all targets by all items ever exists.

        Args:
            scorer: gives the scores.
            memory_budget: bytes that scores may take at a time; a tile has one target at least.
            progress: told after every tile.

        Returns:
            The ranks (M,) int64 from 1 to `num_candidates`, that of a miss `miss_ranks`, and the best items (M, K)
            int32 of the whole catalogue, 0 where there are fewer; both in the order of the targets.

        Raises:
            DataError: if the scorer knows another number of items.
            ConfigError: if its scores have another shape than (B, V + 1).
        """
        self._check(scorer)
        score = partial(self._score_histories, scorer)
        return self._rank(score, scorer.max_length, memory_budget, progress)

    def rank_scores(
        self, score: ScoreTargets, *, memory_budget: int = MEMORY_BUDGET, progress: Progress | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank all targets by the scores of a model that is not a `Scorer`; all else is as in `rank`.

        Raises:
            ConfigError: if scores have another shape than (B, V + 1).
        """
        return self._rank(partial(self._score_targets, score), 1, memory_budget, progress)

    def _rank(
        self,
        score: Callable[[np.ndarray], Tensor],
        max_length: int | None,
        memory_budget: int,
        progress: Progress | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        ranks = np.zeros(len(self.targets), dtype=np.int64)
        top_items = np.zeros((ranks.size, TOP), dtype=np.int32)
        done = 0
        for rows in tiles(
            self.targets.history_lengths,
            num_items=self.sequences.num_items,
            max_length=max_length,
            memory_budget=memory_budget,
        ):
            ranks[rows], top_items[rows] = self._rank_tile(score, rows)
            done += rows.size
            if progress is not None:
                progress(done, ranks.size)
        is_miss = ~self.can_be_hit | (ranks > self.num_candidates)
        return np.where(is_miss, self.miss_ranks, ranks), top_items

    def _check(self, scorer: Scorer) -> None:
        if scorer.num_items != self.sequences.num_items:
            raise DataError(
                f"the model knows {scorer.num_items:,} items and the log holds {self.sequences.num_items:,}. "
                "Evaluate a model on the log it was trained on, read with the model's own vocabulary."
            )

    def _score_histories(self, scorer: Scorer, rows: np.ndarray) -> Tensor:
        """The scores (B, V + 1) of what follows the histories of the targets in `rows`, the seen items masked."""
        return score_histories(
            partial(_score, scorer),
            self.sequences.items,
            self.targets.starts[rows],
            self.targets.positions[rows],
            max_length=scorer.max_length,
            filter_seen=self.filter_seen,
        )

    def _score_targets(self, score: ScoreTargets, rows: np.ndarray) -> Tensor:
        """The scores (B, V + 1) that are given for the targets in `rows`, the seen items masked."""
        targets = self.targets.at(rows)
        scores = _as_float32(score(targets))
        _check_shape(scores, (rows.size, self.sequences.num_items + 1))
        mask_histories(
            scores, self.sequences.items, targets.starts, targets.positions if self.filter_seen else targets.starts
        )
        return scores

    @torch.inference_mode()
    def _rank_tile(self, score: Callable[[np.ndarray], Tensor], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ranks (B,) of the targets in `rows`, and the best items (B, K)."""
        scores = score(rows)
        targets = torch.from_numpy(self.items[rows]).to(scores.device)
        if self.candidates is None:
            ranks = rank_of(scores, targets)
        else:
            candidates = torch.from_numpy(self.candidates[rows].astype(np.int64))
            ranks = rank_among(scores, targets, candidates.to(scores.device))
            can_be_hit = scores.gather(1, targets[:, None]).squeeze(1) > -torch.inf
            ranks = torch.where(can_be_hit, ranks, scores.shape[1])  # as `rank_of` ranks what it cannot compare
        return ranks.cpu().numpy(), top_k(scores, TOP)[1].cpu().numpy()


def _score(scorer: Scorer, histories: Tensor) -> Tensor:
    """The scores (B, V + 1) of what follows the histories (B, L), their shape and type checked."""
    scores = scorer.score(histories)
    _check_shape(scores, (histories.shape[0], scorer.num_items + 1))
    return scores


def _as_float32(scores: Tensor | np.ndarray) -> Tensor:
    """A copy of scores that were given."""
    if isinstance(scores, Tensor):
        return scores.to(torch.float32, copy=True)
    try:
        return torch.from_numpy(np.array(scores, dtype=np.float32))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"scores must be an array or a tensor of numbers, found {type(scores).__name__}") from error


def _check_shape(scores: Tensor, expected: tuple[int, int]) -> None:
    if tuple(scores.shape) != expected or scores.dtype != torch.float32:
        found = f"{tuple(scores.shape)} of {scores.dtype}"
        raise ConfigError(f"a scorer must return scores of shape (B, V + 1) = {expected} of float32, found {found}")
