from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsrec.data import log_from_frame
from gsrec.data.batches import POOL_BATCHES, Batches, Windows, padded_rows, training_batches
from gsrec.data.splits import Split, leave_one_out
from gsrec.errors import DataError

LENGTHS = st.lists(st.integers(4, 30), min_size=1, max_size=50)


def split_of(lengths: list[int]) -> Split:
    """Histories of these lengths; every item is taken once, so that it tells its place."""
    users = np.repeat(np.arange(len(lengths)), lengths)
    return leave_one_out(log_from_frame(pl.DataFrame({"user": users, "item": np.arange(users.size)})).to_sequences())


def rows_of(batches: Batches, epoch: int) -> list[list[int]]:
    return [[int(item) for item in row if item] for batch in batches.epoch(epoch) for row in batch]


@given(LENGTHS, st.integers(1, 7), st.integers(0, 3))
def test_an_epoch_holds_every_users_training_events_once(lengths: list[int], batch_size: int, epoch: int) -> None:
    split = split_of(lengths)
    batches = training_batches(split, length=None, batch_size=batch_size, seed=1)
    rows = rows_of(batches, epoch)
    offsets = split.sequences.offsets
    expected = [
        split.sequences.items[start:end].tolist() for start, end in zip(offsets[:-1], split.train_ends, strict=True)
    ]
    assert sorted(rows) == sorted(expected)
    assert 1 <= len(list(batches.epoch(epoch))) <= batches.num_steps == -(-len(lengths) // batch_size)


@given(LENGTHS, st.integers(2, 10), st.sampled_from(get_args(Windows)))
def test_targets_are_what_follows_another_event_of_its_row(lengths: list[int], length: int, windows: Windows) -> None:
    batches = training_batches(split_of(lengths), length=length, batch_size=3, seed=1, windows=windows)
    targets = [item for row in rows_of(batches, 0) for item in row[1:]]
    num_items = int(batches.items.max())
    assert batches.target_counts(num_items).tolist() == np.bincount(targets, minlength=num_items + 1).tolist()


@given(LENGTHS, st.integers(1, 7))
def test_batches_have_about_the_same_number_of_events(lengths: list[int], batch_size: int) -> None:
    batches = training_batches(split_of(lengths), length=None, batch_size=batch_size, seed=1)
    events = [int((batch > 0).sum()) for batch in batches.epoch(0)]
    assert max(events) <= sum(events) / batches.num_steps + max(lengths)


@given(LENGTHS, st.integers(1, 7))
def test_where_a_row_is_one_target_batches_have_the_same_number_of_rows(lengths: list[int], batch_size: int) -> None:
    batches = training_batches(split_of(lengths), length=None, batch_size=batch_size, seed=1, alike="rows")
    rows = [len(batch) for batch in batches.epoch(0)]
    assert sum(rows) == len(lengths)
    assert max(rows) - min(rows) <= 1
    assert max(rows) <= batch_size


@given(LENGTHS, st.integers(2, 10))
def test_only_the_newest_events_are_in_a_row(lengths: list[int], length: int) -> None:
    split = split_of(lengths)
    rows = rows_of(training_batches(split, length=length, batch_size=4, seed=1, windows="newest"), 0)
    assert max(map(len, rows)) <= length
    assert {row[-1] for row in rows} == set(split.sequences.items[split.train_ends - 1].tolist())


def test_rows_of_a_batch_are_alike_across_the_ends_of_pools_too() -> None:
    lengths = np.random.default_rng(0).integers(3, 61, 2_000).tolist()
    batches = training_batches(split_of(lengths), length=None, batch_size=8, seed=1)
    spreads = [np.ptp((batch > 0).sum(axis=1)) for batch in batches.epoch(0)]
    assert len(spreads) > POOL_BATCHES  # so there are several pools
    assert max(spreads) < 30


def test_batches_are_right_padded_and_no_wider_than_needed() -> None:
    for batch in training_batches(split_of([5, 9, 20, 6]), length=None, batch_size=2, seed=0).epoch(0):
        assert batch.dtype == np.int64
        filled = batch > 0
        assert filled.any(axis=0).all()
        assert (np.diff(filled.astype(int), axis=1) <= 0).all()


def test_batches_are_a_function_of_seed_and_epoch() -> None:
    split = split_of(list(range(4, 60)))
    batches = [training_batches(split, length=None, batch_size=4, seed=seed) for seed in (1, 1, 2)]
    assert rows_of(batches[0], 0) == rows_of(batches[1], 0)
    assert rows_of(batches[0], 0) != rows_of(batches[0], 1)
    assert rows_of(batches[0], 0) != rows_of(batches[2], 0)
    assert repr(batches[0]) == "Batches(56 rows, 14 steps an epoch)"


def test_no_items_make_no_columns() -> None:
    nothing = np.zeros(0, dtype=np.int32)
    assert padded_rows(nothing, np.array([0]), np.array([0])).shape == (1, 0)


def test_users_with_one_training_event_are_no_rows() -> None:
    assert rows_of(training_batches(split_of([3, 5]), length=None, batch_size=4, seed=0), 0) == [[4, 5, 6]]
    with pytest.raises(DataError, match="no user has two events to train on: there is nothing to predict"):
        training_batches(split_of([3, 3]), length=None, batch_size=4, seed=0)


@given(st.lists(st.lists(st.integers(1, 9), max_size=6), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_padded_rows_lay_any_ranges_under_each_other(histories: list[list[int]], random: Random) -> None:
    items = np.array([item for history in histories for item in history], dtype=np.int32)
    bounds = np.cumsum([0, *map(len, histories)])
    chosen = [random.randrange(len(histories)) for _ in range(4)]
    rows = padded_rows(items, bounds[:-1][chosen], bounds[1:][chosen])
    length = max(len(histories[row]) for row in chosen)
    assert rows.dtype == np.int64
    assert rows.tolist() == [histories[row] + [0] * (length - len(histories[row])) for row in chosen]


@given(LENGTHS, st.integers(2, 8))
def test_rows_end_before_what_is_held_out(lengths: list[int], length: int) -> None:
    split = split_of(lengths)
    items, starts, ends = split.sequences.items, split.sequences.offsets[:-1], split.train_ends
    expected = [items[max(start, end - length) : end].tolist() for start, end in zip(starts, ends, strict=True)]
    batches = training_batches(split, length=length, batch_size=3, seed=2, windows="newest")
    assert sorted(rows_of(batches, 5)) == sorted(expected)


@given(LENGTHS, st.integers(2, 8))
def test_in_windows_every_event_follows_the_one_before_it_once(lengths: list[int], length: int) -> None:
    split = split_of(lengths)
    items, starts, ends = split.sequences.items, split.sequences.offsets[:-1], split.train_ends
    expected = [pair for start, end in zip(starts, ends, strict=True) for pair in pairwise(items[start:end].tolist())]
    batches = training_batches(split, length=length, batch_size=3, seed=2)
    rows = rows_of(batches, 5)
    assert max(map(len, rows)) <= length
    assert sorted(pair for row in rows for pair in pairwise(row)) == sorted(expected)
    newest = items[split.train_ends - 1].tolist()
    for start, end in zip(starts, ends, strict=True):  # the newest window is as long as can be
        assert items[max(start, end - length) : end].tolist() in rows
    assert len(rows) == sum(-(-(end - start - 1) // (length - 1)) for start, end in zip(starts, ends, strict=True))
    assert set(newest) <= {row[-1] for row in rows}
