import dataclasses
from itertools import chain

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsrec.data import Sequences, Vocabulary, log_from_frame
from gsrec.data import sequences as sequences_module
from gsrec.errors import DataError


def sequences_of(
    items: list[int], offsets: list[int], users: list[str], timestamps: list[int] | None = None
) -> Sequences:
    return Sequences(
        np.array(items, dtype=np.int32),
        np.array(offsets),
        Vocabulary.of(["x", "y"]),
        pl.Series("user_id", users),
        None if timestamps is None else np.array(timestamps),
        name="shop",
    )


def test_sizes() -> None:
    sequences = sequences_of([1, 2, 2], [0, 2, 2, 3], ["a", "b", "c"])
    assert (sequences.num_users, sequences.num_items, sequences.num_interactions) == (3, 2, 3)
    assert sequences.lengths.tolist() == [2, 0, 1]
    assert repr(sequences) == "Sequences(name='shop', num_users=3, num_items=2, num_interactions=3, clock=False)"


@pytest.mark.parametrize("offsets", [[1, 2], [0, 1], [0, 3, 2]])
def test_offsets_must_fit(offsets: list[int]) -> None:
    with pytest.raises(DataError, match="offsets must rise from 0 to the number of items"):
        sequences_of([1, 2], offsets, ["a"] * (len(offsets) - 1))


def test_users_must_fit() -> None:
    with pytest.raises(DataError, match="1 histories need as many user ids, found 2"):
        sequences_of([1], [0, 1], ["a", "b"])


def test_timestamps_must_fit() -> None:
    with pytest.raises(DataError, match="timestamps must be one per item"):
        sequences_of([1], [0, 1], ["a"], [1, 2])


def test_ties_are_known_to_the_finest_that_the_log_tells() -> None:
    log = log_from_frame(pl.DataFrame({"user": [1, 1, 1, 2], "item": [1, 2, 3, 1], "timestamp": [0, 1, 1, 1]}))
    finer = dataclasses.replace(log, ticks_per_second=1000).to_sequences()
    assert finer.timestamps is not None
    assert finer.timestamps.tolist() == [0, 0, 0, 0]
    assert finer.time_ties is not None
    assert finer.time_ties.tolist() == [False, False, True, False]
    to_the_second = dataclasses.replace(finer, tied=None).time_ties
    assert to_the_second is not None
    assert to_the_second.tolist() == [False, True, True, False]
    assert dataclasses.replace(finer, tied=None, timestamps=None).time_ties is None


def test_the_fingerprint_is_that_of_the_data() -> None:
    sequences = sequences_of([1, 2], [0, 2], ["a"], [3, 4])
    assert dataclasses.replace(sequences, name="other").fingerprint == sequences.fingerprint
    others = [
        sequences_of([2, 1], [0, 2], ["a"], [3, 4]),
        sequences_of([1, 2], [0, 1, 2], ["a", "bc"], [3, 4]),
        sequences_of([1, 2], [0, 1, 2], ["ab", "c"], [3, 4]),
        sequences_of([1, 2], [0, 0, 2], ["ab", "c"], [3, 4]),
        sequences_of([1, 2], [0, 2], ["b"], [3, 4]),
        sequences_of([1, 2], [0, 2], ["a"], [3, 5]),
        sequences_of([1, 2], [0, 2], ["a"]),
        dataclasses.replace(sequences, vocabulary=Vocabulary.of(["x", "z"])),
    ]
    assert len({sequences.fingerprint, *(other.fingerprint for other in others)}) == 1 + len(others)


@given(histories=st.lists(st.lists(st.integers(1, 2), max_size=6), min_size=1, max_size=6), at_once=st.integers(1, 10))
def test_first_occurrences_are_first_whatever_is_taken_together(histories: list[list[int]], at_once: int) -> None:
    expected = [item not in history[:place] for history in histories for place, item in enumerate(history)]
    offsets = np.cumsum([0, *map(len, histories)]).tolist()
    users = [str(user) for user in range(len(histories))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences_module, "EVENTS_AT_ONCE", at_once)
        found = sequences_of([*chain(*histories)], offsets, users).first_occurrences
    assert found.tolist() == expected
    assert found.dtype == np.bool_
