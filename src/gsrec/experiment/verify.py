"""Proof that what is served is what was measured: the evaluator's numbers again, through every way to ask a model.

Legend: M targets, K recommendations, V items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gsrec.bundle import Bundle
from gsrec.data.splits import Split, Targets
from gsrec.data.vocabulary import ItemId
from gsrec.errors import DataError
from gsrec.evaluation.metrics import hit_rate, ndcg
from gsrec.evaluation.tasks import TOP, RankingTask
from gsrec.models.protocols import Scorer, looked_at
from gsrec.ranking import mask_seen, score_histories, top_k
from gsrec.recommend.onnx_runtime import OnnxScorer, OnnxStream, read_facts
from gsrec.recommend.recommender import Recommender
from gsrec.recommend.together import add_together, recommend_together

TOLERANCE = 1e-4
"""By how much the scores of two ways may differ: sums in another order. Items nearer than that may change places."""

AT_ONCE = 64
"""Users whose sessions go on together."""

Way = Callable[[Sequence[Sequence[ItemId]], int], list[tuple[ItemId, ...]]]
"""Gives the K best items after each history, by item ids."""


@dataclass(frozen=True)
class Verdict:
    """How one way compares with the evaluator.

    Attributes:
        name: of the way.
        targets: how many were asked.
        equal: lists that are the evaluator's, item by item.
        near_ties: lists in which items changed places that are nearer than the tolerance.
        different: all other lists. There must be none.
        metrics: HR@10 and NDCG@10 of the way's lists.
    """

    name: str
    targets: int
    equal: int
    near_ties: int
    different: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class Verification:
    """All ways compared.

    Attributes:
        expected: HR@10 and NDCG@10 of the evaluator for the same targets.
        verdicts: of every way.
        moved: lists of the evaluator that change when the targets in the data are changed. There must be none.
    """

    expected: dict[str, float]
    verdicts: tuple[Verdict, ...]
    moved: int

    @property
    def holds(self) -> bool:
        """Whether all ways give the evaluator's numbers, and no target is looked at."""
        return not self.moved and all(
            not verdict.different and (verdict.near_ties or verdict.metrics == self.expected)
            for verdict in self.verdicts
        )

    def record(self) -> dict[str, object]:
        """The verification as JSON."""
        return {**asdict(self), "holds": self.holds}


def verify(
    bundle: Bundle,
    split: Split,
    ways: Mapping[str, Way],
    *,
    num_targets: int | None = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Verification:
    """Ask every way what comes after each test history, and compare the lists with the evaluator's.

    Args:
        bundle: the model.
        split: the log it was trained on, cut as it was for training.
        ways: by name.
        num_targets: how many test targets, spread over all; None: all of them.
        on_stage: told which way is asked.

    Raises:
        DataError: if the split has no test target, or is not of the data that the model learned from.
    """
    if split.sequences.fingerprint != bundle.data.fingerprint:
        raise DataError(f"{split.sequences.name} is not the log that the model learned from. Give that one.")
    if bundle.data.cuts not in (None, split.cuts):
        raise DataError(
            f"{split.sequences.name} is cut in another way than for the training. A split of one's own is given again, "
            "in Python, to gsrec.experiment.verify.verify"
        )
    targets, learned = _some(split.targets("test"), num_targets), split.train_counts() > 0
    if not len(targets):
        raise DataError(f"{split.sequences.name} has no test target to verify with. Give a log that has one.")
    task = RankingTask(split.sequences, targets, filter_seen=bundle.filter_seen, learned=learned)
    on_stage("the evaluator")
    ranks, best = task.rank(bundle.model)
    histories = _histories(task)
    verdicts = []
    for name, way in ways.items():
        on_stage(name)
        lists = way(histories, TOP)
        encoded = [bundle.vocabulary.encode(one) for one in lists]
        verdicts.append(_verdict(name, bundle, task, (ranks, best), encoded))
    on_stage("changed targets")
    return Verification(_metrics(ranks), tuple(verdicts), _moved(bundle.model, task, best))


def library_ways(recommender: Recommender) -> dict[str, Way]:
    """The recommender, and sessions that take the events one by one."""
    return {
        "recommender": lambda histories, k: [one.items for one in recommender.recommend(histories, k)],
        "session": lambda histories, k: _by_sessions(recommender, histories, k),
    }


def scorer_way(bundle: Bundle, scorer: Scorer) -> Way:
    """A scorer that stands for the bundle's model, such as its ONNX form."""

    def score(items: Sequence[int]) -> Tensor:
        return scorer.score(torch.tensor([looked_at(scorer, items)]))

    return _scores_way(bundle, score)


def onnx_ways(bundle: Bundle, folder: Path) -> dict[str, Way]:
    """The export of the bundle in a folder: whole histories, and one event at a time, where the model streams.

    Histories with more events than can be taken one by one are given whole, as an export's user must.

    Raises:
        MissingExtraError: if onnxruntime is not installed.
        BundleError: if the export is missing, damaged or changed.
    """
    ways = {"ONNX": scorer_way(bundle, OnnxScorer(folder))}
    if read_facts(folder).step is None:
        return ways
    stream, whole = OnnxStream(folder), OnnxScorer(folder)
    most = stream.facts.max_events

    def score(items: Sequence[int]) -> Tensor:
        if most is not None and len(items) > most:
            return whole.score(torch.tensor([items[-most:]]))
        stream.start()
        return [stream.step(item) for item in items][-1]

    return {**ways, "ONNX, event by event": _scores_way(bundle, score)}


def _scores_way(bundle: Bundle, score: Callable[[Sequence[int]], Tensor]) -> Way:
    """A way that scores (1, V + 1) all items after the item indices of a history."""

    def ask(histories: Sequence[Sequence[ItemId]], k: int) -> list[tuple[ItemId, ...]]:
        lists: list[tuple[ItemId, ...]] = []
        for history in histories:
            items = bundle.vocabulary.encode(history)
            scores = score(items.tolist())
            mask_seen(scores, torch.from_numpy(items if bundle.filter_seen else items[:0])[None])
            found = top_k(scores, k)[1][0]
            lists.append(tuple(bundle.vocabulary.decode_list(found[found > 0].tolist())))
        return lists

    return ask


def _by_sessions(recommender: Recommender, histories: Sequence[Sequence[ItemId]], k: int) -> list[tuple[ItemId, ...]]:
    """Sessions of similar length go on together, each taking its own events one by one."""
    answers: dict[int, tuple[ItemId, ...]] = {}
    order = sorted(range(len(histories)), key=lambda place: len(histories[place]))
    for start in range(0, len(order), AT_ONCE):
        places = order[start : start + AT_ONCE]
        live = [recommender.session().history for _ in places]
        for event in range(len(histories[places[-1]])):
            going = [number for number, place in enumerate(places) if event < len(histories[place])]
            taken = [histories[places[number]][event] for number in going]
            add_together([live[number] for number in going], taken)
        for place, found in zip(places, recommend_together(live, k), strict=True):
            answers[place] = found.items
    return [answers[place] for place in range(len(histories))]


def _some(targets: Targets, most: int | None) -> Targets:
    """As many targets as asked for, spread evenly."""
    if most is None or most >= len(targets):
        return targets
    return targets.at(np.linspace(0, len(targets) - 1, most).astype(np.int64))


def _histories(task: RankingTask) -> list[list[ItemId]]:
    bounds = zip(task.targets.starts, task.targets.positions, strict=True)
    return [task.sequences.vocabulary.decode(task.sequences.items[start:end]) for start, end in bounds]


def _verdict(
    name: str,
    bundle: Bundle,
    task: RankingTask,
    evaluated: tuple[np.ndarray, np.ndarray],
    lists: list[np.ndarray],
) -> Verdict:
    """Compare lists of item indices with the evaluator's ranks (M,) and best items (M, K).

    A list that is the evaluator's has the evaluator's rank, which counts ties against the model as no list can.
    """
    ranks, best = evaluated
    padded = np.array([np.pad(found, (0, TOP - found.size)) for found in lists])  # (M, K)
    unlike = np.flatnonzero((padded != best).any(1))
    different = sum(not _nearly_tied(bundle, task, place, padded[place], best[place]) for place in unlike.tolist())
    hits = (padded == task.items[:, None]) & task.can_be_hit[:, None]
    placed = np.where(hits.any(1), hits.argmax(1) + 1, task.miss_ranks)
    ranks = np.where((padded == best).all(1), ranks, placed)
    near_ties = unlike.size - different
    return Verdict(name, len(lists), len(lists) - unlike.size, near_ties, different, _metrics(ranks))


def _nearly_tied(bundle: Bundle, task: RankingTask, place: int, found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether two lists differ only by items whose scores are nearer to each other than the tolerance."""
    if ((found == 0) != (expected == 0)).any():
        return False
    found, expected = found[found > 0], expected[expected > 0]
    start, end = task.targets.starts[place : place + 1], task.targets.positions[place : place + 1]
    [scores] = score_histories(
        bundle.model.score,
        task.sequences.items,
        start,
        end,
        max_length=bundle.model.max_length,
        filter_seen=task.filter_seen,
    )
    apart = (scores[torch.from_numpy(found)] - scores[torch.from_numpy(expected.astype(np.int64))]).abs().max()
    return bool(apart <= TOLERANCE * max(1.0, float(scores[torch.from_numpy(found)].abs().max())))


def _metrics(ranks: np.ndarray) -> dict[str, float]:
    return {"HR@10": float(hit_rate(ranks, 10).mean()), "NDCG@10": float(ndcg(ranks, 10).mean())}


def _moved(scorer: Scorer, task: RankingTask, best: np.ndarray) -> int:
    """How many of the best lists (M, K) change when their target becomes another item.

    A user's targets are changed one after the other, since all but the last lie in the history of the next.
    """
    sequences, targets = task.sequences, task.targets
    numbers = np.arange(len(targets)) - np.searchsorted(targets.users, targets.users)  # (M,) each among its user's
    moved = 0
    for number in range(numbers.max() + 1):
        places = np.flatnonzero(numbers == number)
        some, items = targets.at(places), sequences.items.copy()
        items[some.positions] = items[some.positions] % sequences.num_items + 1
        changed = replace(task, sequences=replace(sequences, items=items), targets=some)
        again = changed.rank(scorer)[1]
        before = best if len(places) == len(targets) else replace(task, targets=some).rank(scorer)[1]  # in like tiles
        moved += int((again != before).any(1).sum())
    return moved
