"""From a scorer and a split to metrics, with all that qualifies them.

Legend: M targets, V items.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import polars as pl

from gsrec.data.splits import Part, Split, Targets
from gsrec.errors import ConfigError, DataError
from gsrec.evaluation.audit import Audit, audit
from gsrec.evaluation.candidates import draw_candidates, parse_candidates
from gsrec.evaluation.intervals import share_interval
from gsrec.evaluation.metrics import RANK_METRICS, coverage, novelty, summarise
from gsrec.evaluation.tasks import TOP, RankingTask, ScoreTargets
from gsrec.models.protocols import Scorer
from gsrec.progress import Progress


@dataclass(frozen=True)
class Protocol:
    """How targets are judged. Ties always count against the model.

    Attributes:
        part: of the split, whose events are the targets.
        candidates: `full`, `popularity:N` or `uniform:N`; `given:N` where an `Evaluator` is given up to N for a target.
        filter_seen: whether items of a user's history are no candidates.
        seed: of the sampled candidates.
    """

    part: Part
    candidates: str = "full"
    filter_seen: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the names.

        Raises:
            ConfigError: if the part or the candidates are unknown.
        """
        if self.part not in ("validation", "test"):
            raise ConfigError(f"the part to evaluate must be validation or test, found {self.part!r}")
        parse_candidates(self.candidates)

    @property
    def name(self) -> str:
        """A name for files, another for every protocol.

        >>> Protocol("test", "popularity:100", seed=3).name
        'test-popularity-100-seed3'
        """
        seen = "" if self.filter_seen else "-keep-seen"
        seed = f"-seed{self.seed}" if self.seed else ""
        return f"{self.part}-{self.candidates.replace(':', '-')}{seen}{seed}"

    @property
    def ties(self) -> str:
        """What an item tied with the target does."""
        return "against the model"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A scorer's ranks under a protocol, and what they come to.

    Attributes:
        protocol: how the targets were judged.
        targets: the M events.
        ranks: (M,) int64, from 1 to `num_candidates`; of a miss at least 21, so that it never counts as a hit.
        num_candidates: (M,) int64, how many items each target was ranked among, itself included.
        target_popularity: (M,) int64, training events of the target's item.
        metrics: the means over targets, by name.
        intervals: the 95% interval of each metric of ranks, by name; empty if there is only one user.
        audit: what qualifies the numbers.
        given: SHA-256 of the candidates, where they were given.
    """

    protocol: Protocol
    targets: Targets
    ranks: np.ndarray
    num_candidates: np.ndarray
    target_popularity: np.ndarray
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    audit: Audit
    given: str | None = None

    def __repr__(self) -> str:
        """Print the protocol and the leading metrics."""
        return (
            f"Evaluation({self.protocol.part}, candidates={self.protocol.candidates}, targets={self.ranks.size:,}, "
            f"HR@10={self.metrics['HR@10']:.4f}, NDCG@10={self.metrics['NDCG@10']:.4f})"
        )

    @property
    def users(self) -> np.ndarray:
        """(M,) int64, whose target it is."""
        return self.targets.users

    @property
    def history_lengths(self) -> np.ndarray:
        """(M,) int64, events before the target."""
        return self.targets.history_lengths

    @property
    def num_users(self) -> int:
        """The number of users that have a target."""
        return int(np.unique(self.users).size)

    @property
    def few_candidates(self) -> float:
        """The share (0 to 1) of targets with fewer sampled candidates than asked for: all there were are used."""
        return float((self.num_candidates <= parse_candidates(self.protocol.candidates).count).mean())

    def to_frame(self, split: Split) -> pl.DataFrame:
        """A row a target: user_id, item_id, rank, num_candidates, history_length, target_popularity.

        Args:
            split: what was judged.

        Raises:
            DataError: if it was another.
        """
        items = self.items_of(split)
        return pl.DataFrame(
            {
                "user_id": split.sequences.user_ids.gather(self.users),
                "item_id": split.sequences.vocabulary.ids.gather(items - 1),
                "rank": self.ranks,
                "num_candidates": self.num_candidates,
                "history_length": self.history_lengths,
                "target_popularity": self.target_popularity,
            }
        )

    def items_of(self, split: Split) -> np.ndarray:
        """(M,) int32, the items of the targets.

        Args:
            split: what was judged.

        Raises:
            DataError: if it was another.
        """
        positions, counts = split.targets(self.protocol.part).positions, split.train_counts()
        if np.array_equal(positions, self.targets.positions):
            items = split.sequences.items[positions]
            if np.array_equal(counts[items], self.target_popularity):
                return np.asarray(items)
        raise DataError(f"this evaluation is not of {split}: give the split that was judged")

    def record(self) -> dict[str, object]:
        """The evaluation as JSON-able values; intervals as [low, high]."""
        given = {"given": self.given} if self.given else {}
        return {
            "protocol": {**asdict(self.protocol), "ties": self.protocol.ties, **given},
            "num_users_evaluated": self.num_users,
            "metrics": dict(self.metrics),
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            "audit": {**asdict(self.audit), "few_candidates": self.few_candidates},
        }


@dataclass(frozen=True, eq=False)
class Evaluator:
    """Judges scorers under one protocol; what does not depend on the scorer is worked out once.

    Attributes:
        split: the log and its cuts.
        protocol: how targets are judged.
        candidates: (M, N) int, the item indices that every target of `split.targets(protocol.part)` is ranked among
            besides itself, 0 is padding, where the protocol's candidates are `given:N`; else None.
    """

    split: Split
    protocol: Protocol
    candidates: np.ndarray | None = None

    def evaluate(self, scorer: Scorer, *, progress: Progress | None = None) -> Evaluation:
        """Judge a scorer; arguments and errors are those of the function `evaluate`."""
        return self._evaluation(*self._task.rank(scorer, progress=progress))

    def evaluate_scores(self, score: ScoreTargets, *, progress: Progress | None = None) -> Evaluation:
        """Judge a model that is not a `Scorer`, such as one of another library, by the scores that it gives.

        Args:
            score: gives the scores (B, V + 1) of all items, by item index, for some of the split's targets, in
                float32, to which others are rounded; what was seen is left out here. It is asked in inference mode.
            progress: as for the function `evaluate`.

        Raises:
            DataError: if there is no target.
            ConfigError: if scores have another shape than (B, V + 1).
        """
        return self._evaluation(*self._task.rank_scores(score, progress=progress))

    def _evaluation(self, ranks: np.ndarray, top_items: np.ndarray) -> Evaluation:
        targets, popularity = self._task.targets, self._popularity[self._task.items]
        return Evaluation(
            protocol=self.protocol,
            targets=targets,
            ranks=ranks,
            num_candidates=self._task.num_candidates,
            target_popularity=popularity,
            metrics=summarise(ranks) | self._list_metrics(top_items),
            intervals=_intervals(ranks, targets.users),
            audit=self._audit,
            given=None if self.candidates is None else _hash(self.candidates),
        )

    @cached_property
    def _popularity(self) -> np.ndarray:
        return self.split.train_counts()

    @cached_property
    def _audit(self) -> Audit:
        return audit(self.split, self.protocol.part)

    @cached_property
    def _task(self) -> RankingTask:
        targets = self.split.targets(self.protocol.part)
        if not len(targets):
            raise DataError(f"the {self.split.name} split has no {self.protocol.part} target to evaluate")
        learned, among = self._popularity > 0, self._among(targets)
        sequences, filter_seen = self.split.sequences, self.protocol.filter_seen
        return RankingTask(sequences, targets, among, filter_seen=filter_seen, learned=learned)

    def _among(self, targets: Targets) -> np.ndarray | None:
        """The candidates of every target, (M, C); None for the whole catalogue."""
        rule, given = parse_candidates(self.protocol.candidates), self.candidates
        if (rule.kind == "given") != (given is not None) or (given is not None and given.shape[-1] > rule.count):
            told = f"found {self.protocol.candidates!r} and {'none' if given is None else given.shape}"
            raise ConfigError(f"candidates of one's own go with a protocol of given:N, (M, up to N) of them: {told}")
        if given is not None and given.ndim == 2 and (is_empty := ~(given > 0).any(1)).any():
            raise ConfigError(f"every target needs a candidate besides itself, row {int(is_empty.argmax())} has none")
        if rule.kind in ("full", "given"):
            return given
        popularity = self._popularity
        return draw_candidates(rule, targets, self.split.sequences, popularity=popularity, seed=self.protocol.seed)

    def _list_metrics(self, top_items: np.ndarray) -> dict[str, float]:
        return {
            f"Coverage@{TOP}": coverage(top_items, self.split.sequences.num_items),
            f"Novelty@{TOP}": novelty(top_items, self._popularity),
        }


def evaluate(scorer: Scorer, split: Split, protocol: Protocol, *, progress: Progress | None = None) -> Evaluation:
    """Judge a scorer once. To judge several under one protocol, or one again and again, keep an `Evaluator`.

    Seen items are no candidates unless the protocol says otherwise. A target that no training event is of, or that
    cannot be ranked because it was seen or has no finite score, is a miss: its rank is the number of candidates, or 21
    where they are fewer, so that it is no hit of any metric.

    Args:
        scorer: what is judged, as it is: dropout and the like are the caller's to switch off.
        split: the log and its cuts.
        protocol: how targets are judged.
        progress: told after every tile how many targets are done, and of how many.

    Raises:
        DataError: if there is no target, or the scorer knows another number of items.
        ConfigError: if the scorer's scores have another shape than (B, V + 1).
    """
    return Evaluator(split, protocol).evaluate(scorer, progress=progress)


def _hash(candidates: np.ndarray) -> str:
    return hashlib.sha256(candidates.astype("<i8").tobytes()).hexdigest()


def _intervals(ranks: np.ndarray, users: np.ndarray) -> dict[str, tuple[float, float]]:
    if np.unique(users).size < 2:
        return {}
    return {name: share_interval(metric(ranks), users) for name, metric in RANK_METRICS.items()}
