"""What a model is asked to predict of a row.

Legend: B batch, L length.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gsrec.training.objectives import MaskedItem, Objective, Prediction, last_item, next_item

MASK = 99
HISTORIES = st.lists(st.lists(st.integers(1, 9), min_size=2, max_size=7), min_size=1, max_size=5)
SHARES = st.floats(0.01, 0.99)


def laid_out(histories: list[list[int]]) -> Tensor:
    length = max(map(len, histories))
    return torch.tensor([history + [0] * (length - len(history)) for history in histories])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pairs(task: Prediction) -> list[list[tuple[list[int], int]]]:
    """For every row, what is known (the inputs so far) and what is to be predicted from it."""
    return [
        [(known[: place + 1], target) for place, target in enumerate(targets) if target]
        for known, targets in zip(task.inputs.tolist(), task.targets.tolist(), strict=True)
    ]


@given(HISTORIES)
def test_next_item(histories: list[list[int]]) -> None:
    expected = [[(row[:end], row[end]) for end in range(1, len(row))] for row in histories]
    assert pairs(next_item(laid_out(histories), seeded())) == expected


@given(HISTORIES)
def test_last_item(histories: list[list[int]]) -> None:
    assert pairs(last_item(laid_out(histories), seeded())) == [[(row[:-1], row[-1])] for row in histories]


@given(HISTORIES, SHARES, st.floats(0, 0.99), st.integers(0, 100))
def test_masks_hide_what_is_to_be_predicted(
    histories: list[list[int]], share: float, last_share: float, seed: int
) -> None:
    rows = laid_out(histories)
    task = MaskedItem(MASK, share, last_share)(rows, seeded(seed))
    hidden = task.inputs == MASK
    assert (hidden.sum(1) >= 1).all()
    assert not hidden[rows == 0].any()
    assert task.inputs[~hidden].equal(rows[~hidden])
    assert task.targets.equal(rows * hidden)


@given(HISTORIES, SHARES)
def test_rows_with_the_newest_item_masked_alone(histories: list[list[int]], share: float) -> None:
    task = MaskedItem(MASK, share, last_share=1.0)(laid_out(histories), seeded())
    assert task.inputs.equal(laid_out([[*row[:-1], MASK] for row in histories]))


@pytest.mark.parametrize("share", [0.15, 0.2, 0.6])
def test_the_share_that_is_masked(share: float) -> None:
    task = MaskedItem(MASK, share, last_share=0.0)(torch.ones(200, 500, dtype=torch.int64), seeded())
    assert (task.targets > 0).float().mean() == pytest.approx(share, abs=0.01)


def test_how_many_rows_have_the_newest_item_masked_alone() -> None:
    task = MaskedItem(MASK, 0.5, last_share=0.3)(torch.ones(5000, 20, dtype=torch.int64), seeded())
    alone = (task.targets > 0).sum(1) == 1
    assert alone.float().mean() == pytest.approx(0.3, abs=0.02)
    assert task.targets[alone, -1].all()


def test_which_item_is_masked_where_only_one_is() -> None:
    task = MaskedItem(MASK, 1e-9, last_share=0.0)(torch.ones(4000, 4, dtype=torch.int64), seeded())
    assert (task.targets.sum(1) == 1).all()
    assert (task.targets.float().mean(0) - 0.25).abs().max() < 0.03


def masked(rows: Tensor, generator: torch.Generator) -> Prediction:
    return MaskedItem(MASK, 0.3, 0.1)(rows, generator)


@pytest.mark.parametrize("objective", [next_item, last_item, masked])
def test_rows_are_only_read_and_chance_is_the_generators(objective: Objective) -> None:
    rows = torch.arange(1, 61).view(6, 10)
    first, again, other = (objective(rows, seeded(seed)) for seed in (1, 1, 2))
    assert rows.equal(torch.arange(1, 61).view(6, 10))
    assert first.inputs.equal(again.inputs)
    assert first.targets.equal(again.targets)
    assert first.targets.equal(other.targets) == (objective is not masked)
