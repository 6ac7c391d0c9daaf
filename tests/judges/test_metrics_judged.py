"""Our evaluation of a small table beside what RecTools and ranx say of it."""

import importlib
import json
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor

from gsrec.data import Sequences, Vocabulary, leave_one_out
from gsrec.evaluation.evaluator import Evaluation, Protocol, evaluate
from gsrec.evaluation.metrics import RANK_METRICS

SCRIPT = Path(__file__).with_name("rectools_verdict.py")
STORED = json.loads(SCRIPT.with_suffix(".json").read_text())
TABLE: dict[str, list[list[int]]] = STORED["table"]
NUM_ITEMS = max(max(items) for items in TABLE["recommendations"])


@dataclass
class ListScorer:
    """Scores items so that every user's best items are those of the user's list, in its order."""

    num_items: int = NUM_ITEMS
    max_length: int | None = None

    def score(self, items: Tensor) -> Tensor:
        lists = {
            tuple(history[:-1]): ranked
            for history, ranked in zip(TABLE["sequences"], TABLE["recommendations"], strict=True)
        }
        scores = torch.zeros(len(items), self.num_items + 1)
        for row, history in zip(scores, items.tolist(), strict=True):
            ranked = lists[tuple(history)]
            row[ranked] = torch.arange(len(ranked), 0, -1.0)
        return scores


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    histories = TABLE["sequences"]
    sequences = Sequences(
        items=np.concatenate(histories).astype(np.int32),
        offsets=np.cumsum([0, *map(len, histories)]),
        vocabulary=Vocabulary.of(range(1, NUM_ITEMS + 1)),
        user_ids=pl.Series("user_id", range(len(histories)), dtype=pl.Int64),
    )
    return evaluate(ListScorer(), leave_one_out(sequences), Protocol("test"))


@pytest.fixture(scope="module")
def ranx() -> Iterator[Any]:
    """The library ranx, interpreted: to compile it takes longer than to judge."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "1")
        yield importlib.import_module("ranx")


def test_the_stored_table_is_the_one_the_script_makes() -> None:
    assert runpy.run_path(str(SCRIPT))["make_table"]() == TABLE


@pytest.mark.parametrize("name", [*RANK_METRICS, "Coverage@10"])
def test_rectools_gives_the_same(evaluation: Evaluation, name: str) -> None:
    assert evaluation.metrics[name] == pytest.approx(STORED["verdict"][name], abs=1e-12)


def test_with_one_target_recall_is_hit_rate_and_map_is_mrr(evaluation: Evaluation) -> None:
    assert evaluation.metrics["HR@10"] == pytest.approx(STORED["verdict"]["Recall@10"], abs=1e-12)
    assert evaluation.metrics["MRR@10"] == pytest.approx(STORED["verdict"]["MAP@10"], abs=1e-12)


def test_novelty_is_that_of_rectools_counted_in_events_and_not_users(evaluation: Evaluation) -> None:
    num_users = len(TABLE["sequences"])
    num_events = sum(len(history) - 2 for history in TABLE["sequences"])
    expected = STORED["verdict"]["MIUF@10"] + np.log2(num_events / num_users)
    assert evaluation.metrics["Novelty@10"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(f"HR@{k}", f"hit_rate@{k}") for k in (1, 5, 10, 20)]
    + [(f"NDCG@{k}", f"ndcg@{k}") for k in (5, 10, 20)]
    + [("MRR", "mrr"), ("MRR@10", "mrr@10"), ("HR@10", "recall@10"), ("MRR@10", "map@10")],
)
def test_ranx_gives_the_same(evaluation: Evaluation, ranx: Any, ours: str, theirs: str) -> None:
    relevant = {f"u{user}": {f"i{history[-1]}": 1} for user, history in enumerate(TABLE["sequences"])}
    scores = {
        f"u{user}": {f"i{item}": 1.0 / place for place, item in enumerate(items, start=1)}
        for user, items in enumerate(TABLE["recommendations"])
    }
    found = ranx.evaluate(ranx.Qrels(relevant), ranx.Run(scores), theirs)
    assert evaluation.metrics[ours] == pytest.approx(found, abs=1e-12)
