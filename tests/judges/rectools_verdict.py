"""What RecTools says of a small table of recommendations, kept beside this script for the tests to compare with.

RecTools 0.19.0 needs numpy 1.26 and so cannot share this project's environment. To make its verdict again, run the
script in an environment of its own, with Python 3.11:

    python3.11 -m venv rectools-environment
    rectools-environment/bin/pip install torch==2.13.0
    rectools-environment/bin/pip install rectools==0.19.0
    rectools-environment/bin/python tests/judges/rectools_verdict.py

It writes `rectools_verdict.json`: the table, the verdict and the version that gave it.

Two of its definitions need a word. Its NDCG divides by the gain of k relevant items unless `divide_by_achievable` is
set, which divides by the gain of the one target there is: this is the definition of the field's papers and ours. Its
novelty counts an item's share of users where ours counts the share of events.
"""

import importlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

VERDICT = Path(__file__).with_suffix(".json")
NUM_USERS, NUM_ITEMS, NUM_EVENTS = 24, 40, 10


def make_table() -> dict[str, list[list[int]]]:
    """Make histories of distinct items and, for each, a list of all items not taken before the last event.

    Every item is in some user's training events, which are all but the last two.
    """
    generator = np.random.default_rng(0)
    sequences = [_history(user, generator) for user in range(NUM_USERS)]
    unseen = [sorted(set(range(1, NUM_ITEMS + 1)) - set(history[:-1])) for history in sequences]
    return {
        "sequences": sequences,
        "recommendations": [_list(*pair, generator) for pair in zip(sequences, unseen, strict=True)],
    }


def _history(user: int, generator: np.random.Generator) -> list[int]:
    own = 1 + (2 * user + np.arange(2)) % NUM_ITEMS
    weights = np.where(np.isin(np.arange(1, NUM_ITEMS + 1), own), 0.0, 1.0 / np.arange(1, NUM_ITEMS + 1))
    others = 1 + generator.choice(NUM_ITEMS, NUM_EVENTS - own.size, replace=False, p=weights / weights.sum())
    return [*own.tolist(), *others.tolist()]


def _list(history: list[int], unseen: list[int], generator: np.random.Generator) -> list[int]:
    place = min(int(generator.geometric(0.12)) - 1, len(unseen) - 1)
    jittered = dict(zip(unseen, unseen + generator.uniform(0, NUM_ITEMS / 2, len(unseen)), strict=True))
    others = sorted(set(unseen) - {history[-1]}, key=jittered.__getitem__)
    return [*others[:place], history[-1], *others[place:]]


def judge(table: dict[str, list[list[int]]]) -> dict[str, float]:
    """RecTools' metrics of the table, by our names. Runs in RecTools' environment only."""
    metrics: Any = importlib.import_module("rectools.metrics")
    every = {
        **{f"HR@{k}": metrics.HitRate(k) for k in (1, 5, 10, 20)},
        **{f"NDCG@{k}": metrics.NDCG(k, divide_by_achievable=True) for k in (5, 10, 20)},
        "MRR": metrics.MRR(NUM_ITEMS),
        "MRR@10": metrics.MRR(10),
        "Recall@10": metrics.Recall(10),
        "MAP@10": metrics.MAP(10),
        "Coverage@10": metrics.CatalogCoverage(10, normalize=True),
        "MIUF@10": metrics.MeanInvUserFreq(10),
    }
    values = metrics.calc_metrics(
        every,
        reco=_frame(table["recommendations"]),
        interactions=_frame([history[-1:] for history in table["sequences"]]),
        prev_interactions=_frame([history[:-2] for history in table["sequences"]]),
        catalog=range(1, NUM_ITEMS + 1),
    )
    return {name: float(values[name]) for name in every}


def _frame(rows: list[list[int]]) -> Any:
    pandas: Any = importlib.import_module("pandas")
    events = [(user, item, rank) for user, items in enumerate(rows) for rank, item in enumerate(items, start=1)]
    return pandas.DataFrame(events, columns=["user_id", "item_id", "rank"])


if __name__ == "__main__":
    made = make_table()
    VERDICT.write_text(json.dumps({"rectools": version("rectools"), "table": made, "verdict": judge(made)}) + "\n")
