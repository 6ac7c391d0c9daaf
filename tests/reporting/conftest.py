"""Made-up results: small enough that every number can be worked out by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from gsrec.evaluation.metrics import summarise
from gsrec.reporting.ranks import RANKS_FILE, UserRanks, write_ranks
from gsrec.reporting.results import RunResult, append_result

Record = dict[str, object]


class MakeRecord(Protocol):
    """Makes the record of a run that came to these ranks."""

    def __call__(self, label: str, ranks: Sequence[int], seed: int = 1, **changes: object) -> Record: ...


class WriteRun(Protocol):
    """Writes a run's ranks and adds its record to `results.jsonl` in the test's folder."""

    def __call__(self, label: str, ranks: Sequence[int], seed: int = 1, **changes: object) -> RunResult: ...


@pytest.fixture
def make_record() -> MakeRecord:
    def make(label: str, ranks: Sequence[int], seed: int = 1, **changes: object) -> Record:
        record: Record = {
            "model": label.split(":")[0],
            "preset": "default",
            "label": label,
            "data": {
                "name": "tiny",
                "fingerprint": "0123456789abcdef" * 4,
                "num_users": 1200,
                "num_items": 300,
                "num_interactions": 36000,
                "cuts": None,
            },
            "protocol": {"part": "test", "candidates": "full", "filter_seen": True, "ties": "against the model"},
            "split": "leave-one-out",
            "seed": seed,
            "config": {"model": {"name": label.split(":")[0]}, "seed": seed},
            "num_users_evaluated": len(ranks),
            "metrics": summarise(np.array(ranks)),
            "intervals": {"NDCG@10": [0.1, 0.2]},
            "validation": {"NDCG@10": 0.5},
            "audit": {"leakage": 0.25, "cold": 0.01, "time_ties": None, "repeats": 0.0},
            "training": {"epochs": 2, "best_epoch": 1, "seconds": 60.0 * seed, "num_parameters": 12345},
            "history": [
                {"epoch": 1, "loss": 2.0, "seconds": 30.0, "validation": {"NDCG@10": 0.4}},
                {"epoch": 2, "loss": 1.0, "seconds": 60.0, "validation": {"NDCG@10": 0.3}},
            ],
            "version": "0.1.0",
            "commit": "abc1234",
            "threads": 2,
            "event_seconds": 0.0005,
            "run": f"runs/{label.replace(':', '-')}-seed{seed}",
        }
        return record | changes

    return make


@pytest.fixture
def write_run(tmp_path: Path, make_record: MakeRecord) -> WriteRun:
    def write(label: str, ranks: Sequence[int], seed: int = 1, **changes: object) -> RunResult:
        record = make_record(label, ranks, seed, **changes)
        users = np.arange(len(ranks))
        arrays = UserRanks(users, np.array(ranks), history_lengths=users + 2, target_popularity=users // 2)
        write_ranks(tmp_path / str(record["run"]) / RANKS_FILE, arrays)
        return append_result(tmp_path / "results.jsonl", record)

    return write
