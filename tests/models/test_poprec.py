"""Popularity is counted in training events only."""

import numpy as np
import polars as pl
import pytest
import torch
from pydantic import ValidationError

from gsrec.data import Sequences, Vocabulary
from gsrec.data.splits import Split, leave_one_out
from gsrec.errors import DataError, NotFittedError
from gsrec.models import PopRec, PopRecConfig

DAY = 86_400


def split_of(*, clock: bool) -> Split:
    """Two users; the last two items of each (3 and 4) are held out, and later than all training events."""
    items = np.array([1, 1, 2, 3, 4, 2, 1, 3, 4], dtype=np.int32)
    days = np.array([0, 9, 10, 90, 91, 8, 10, 92, 93], dtype=np.int64)
    return leave_one_out(
        Sequences(
            items=items,
            offsets=np.array([0, 5, 9]),
            vocabulary=Vocabulary.of(["a", "b", "c", "d", "e"]),
            user_ids=pl.Series(["u", "v"]),
            timestamps=days * DAY if clock else None,
        )
    )


def counted(config: PopRecConfig, *, clock: bool = True) -> list[float]:
    model = PopRec(5, config)
    model.count(split_of(clock=clock))
    scores = model.score(torch.tensor([[1, 2], [5, 0]]))
    assert scores[0].equal(scores[1])
    counts: list[float] = scores[0].tolist()
    return counts


@pytest.mark.parametrize("clock", [True, False])
def test_all_training_events_count_and_no_others(clock: bool) -> None:
    assert counted(PopRecConfig(), clock=clock) == [0, 3, 2, 0, 0, 0]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0.5, [0, 1, 1, 0, 0, 0]),
        (1, [0, 1, 1, 0, 0, 0]),
        (1.5, [0, 2, 1, 0, 0, 0]),
        (3, [0, 2, 2, 0, 0, 0]),
        (99, [0, 3, 2, 0, 0, 0]),
    ],
)
def test_the_last_days_end_with_the_newest_training_event(days: float, expected: list[float]) -> None:
    assert counted(PopRecConfig(days=days)) == expected


def test_the_last_days_need_a_clock() -> None:
    with pytest.raises(DataError, match="popularity of the last days needs clock times, and this log has none"):
        counted(PopRecConfig(days=3), clock=False)


def test_counting_again_replaces_the_counts() -> None:
    model = PopRec(5, PopRecConfig())
    model.count(split_of(clock=True))
    model.count(split_of(clock=True))
    assert model.counts.tolist() == [0, 3, 2, 0, 0, 0]


@pytest.mark.parametrize("days", [0, -1, "some"])
def test_days_that_make_no_sense(days: object) -> None:
    with pytest.raises(ValidationError, match="days"):
        PopRecConfig.model_validate({"days": days})


def test_scores_need_counts() -> None:
    with pytest.raises(NotFittedError, match="has not counted yet"):
        PopRec(5, PopRecConfig()).score(torch.tensor([[1]]))
