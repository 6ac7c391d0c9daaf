import re
from collections.abc import Callable

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narwhals.typing import IntoFrame

from gsrec.data import Columns, InteractionLog, Vocabulary, log_from_frame
from gsrec.data.times import TimeKind
from gsrec.errors import DataError

EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=50)
WIDE = st.one_of(st.integers(-3, 3), st.integers(-(10**10), 10**10), st.integers(-(2**63), 2**63 - 1))
COLUMNS: dict[str, list[str] | list[int] | list[None]] = {
    "user": ["b", "a", "b"],
    "item": [3, 1, 2],
    "time": [20, 10, 10],
}


def frame_of(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["user", "item", "time"][: len(rows[0])], orient="row")


@given(EVENTS)
def test_sorting_is_by_user_then_time_and_stable(events: list[tuple[int, int, int]]) -> None:
    log = log_from_frame(frame_of(*events))
    assert log.frame.rows() == sorted(events, key=lambda event: (event[0], event[2]))


@given(st.lists(st.tuples(WIDE, WIDE), min_size=1, max_size=30))
def test_sorting_minds_no_size(events: list[tuple[int, int]]) -> None:
    users, times = zip(*events, strict=True)
    columns = {"user": users, "item": range(len(events)), "position": times}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64))
    assert log_from_frame(frame).frame.rows() == frame.sort("user", "position", maintain_order=True).rows()


@given(EVENTS)
def test_without_time_the_order_of_the_rows_counts(events: list[tuple[int, int, int]]) -> None:
    log = log_from_frame(frame_of(*(event[:2] for event in events)))
    assert log.frame.rows() == sorted((event[:2] for event in events), key=lambda event: event[0])
    assert log.time_kind == "none"
    assert "no time column: the order of the file is taken as the order in time" in log.notes


@given(EVENTS)
def test_sequences_say_what_the_log_says(events: list[tuple[int, int, int]]) -> None:
    log = log_from_frame(frame_of(*events, (9, 10, 0), (9, 11, 0)))
    sequences = log.to_sequences()
    assert [sequences.items.dtype, sequences.offsets.dtype] == [np.int32, np.int64]
    assert (sequences.num_users, sequences.num_items) == (log.num_users, log.num_items)
    assert sequences.vocabulary.decode(sequences.items) == log.frame["item_id"].to_list()
    assert np.repeat(sequences.user_ids.to_numpy(), sequences.lengths).tolist() == log.frame["user_id"].to_list()
    assert sequences.timestamps is not None
    assert sequences.timestamps.tolist() == log.frame["time"].to_list()
    assert sequences.vocabulary.ids.is_sorted()


@pytest.mark.parametrize(
    "make",
    [pl.DataFrame, pl.LazyFrame, pd.DataFrame, pa.table, lambda columns: nw.from_native(pl.DataFrame(columns))],
    ids=["polars", "polars lazy", "pandas", "arrow", "narwhals"],
)
def test_every_frame_makes_the_same_log(
    make: Callable[[dict[str, list[str] | list[int] | list[None]]], IntoFrame],
) -> None:
    log = log_from_frame(make({**COLUMNS, "other": [None, None, None]}), name="a frame")
    assert log.frame.rows() == [("a", 1, 10), ("b", 2, 10), ("b", 3, 20)]
    assert log.frame.schema == {"user_id": pl.String, "item_id": pl.Int64, "time": pl.Int64}
    assert (log.name, log.time_kind) == ("a frame", "clock")
    assert log.notes == ("columns guessed: user 'user', item 'item', time 'time'",)


def test_columns_can_be_named() -> None:
    log = log_from_frame(pl.DataFrame({"a": [1], "b": [2], "c": [3]}), columns=Columns("c", "b", "a"))
    assert log.frame.rows() == [(3, 2, 1)]


def test_pandas_with_nan_gives_integers_or_an_error() -> None:
    log = log_from_frame(pd.DataFrame({"user": [1, 2], "item": [1.0, 3.0]}))
    assert log.frame["item_id"].to_list() == [1, 3]
    assert "column 'item': whole numbers written as floats were read as integers" in log.notes
    with pytest.raises(DataError, match="column 'item' has no id in row 2"):
        log_from_frame(pd.DataFrame({"user": [1, 2], "item": [1.0, np.nan]}))


@pytest.mark.parametrize("values", [[1, "a"], ["a", 1], ["a", 1.5]])
def test_mixed_types_of_ids_in_a_frame(values: list[object]) -> None:
    with pytest.raises(DataError, match="frame: column 'user' holds values of more than one type"):
        log_from_frame(pd.DataFrame({"user": pd.Series(values, dtype=object), "item": [1, 2]}))
    with pytest.raises(DataError, match="column 'user' must hold ids that are all integers or all strings, found Obj"):
        log_from_frame(pl.DataFrame({"user": pl.Series(values, dtype=pl.Object), "item": [1, 2]}))


def test_ids_of_a_frame_must_fit_64_bits() -> None:
    with pytest.raises(DataError, match=r"frame: column 'user': an integer must fit 64 bits with a sign\. Use"):
        log_from_frame(pd.DataFrame({"user": pd.Series([2**70, 2], dtype=object), "item": [1, 2]}))


def test_a_frame_that_needs_an_absent_library_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    def to_polars(self: object) -> pl.DataFrame:
        raise ModuleNotFoundError("pyarrow is required when converting pandas")

    monkeypatch.setattr(nw.DataFrame, "to_polars", to_polars)
    with pytest.raises(DataError, match="frame: column 'user' cannot be converted without a library: pyarrow is requi"):
        log_from_frame(pd.DataFrame({"user": ["a"], "item": [1]}))


@pytest.mark.parametrize("frame", [3, {"user": [1]}, pd.DataFrame([[1, 2]], columns=["user", "user"])])
def test_what_is_no_frame(frame: IntoFrame) -> None:
    with pytest.raises(
        DataError, match="frame: expected a data frame with the columns user_id, item_id and time, such as pandas', "
    ):
        log_from_frame(frame)


def test_a_frame_with_numbers_for_names_shows_them() -> None:
    with pytest.raises(DataError, match=re.escape("none of its columns looks like the user: 0, 1.")):
        log_from_frame(pd.DataFrame([[1, 2]]))


def test_a_frame_without_rows() -> None:
    with pytest.raises(DataError, match=re.escape("frame: there are columns (user, item) but no rows")):
        log_from_frame(pl.DataFrame({"user": [], "item": []}))


def test_duplicates_are_kept_and_told() -> None:
    log = log_from_frame(frame_of((1, 5, 7), (1, 6, 7), (1, 5, 7), (1, 5, 7), (2, 5, 8)))
    assert log.num_interactions == 5
    assert log.num_duplicates == 2
    assert (
        log.notes[-1] == "interactions that repeat another's user, item and time: 2 (drop_duplicates leaves them out)"
    )


def test_one_user_is_a_log_and_told() -> None:
    log = log_from_frame(frame_of((1, 5, 1), (1, 6, 2)))
    assert log.notes[-1] == "there is only one user"
    assert log.to_sequences().num_users == 1


def test_one_item_is_nothing_to_learn_from() -> None:
    log = log_from_frame(frame_of((1, 5, 1), (2, 5, 2)), name="shop")
    with pytest.raises(DataError, match="shop: a model needs at least 2 items to choose from, found 1"):
        log.to_sequences()
    assert log.to_sequences(Vocabulary.of([5])).num_items == 1


def test_fractions_of_a_second_sort_but_timestamps_are_whole_seconds() -> None:
    log = log_from_frame(frame_of((1, 5, 1_600_000_000_900), (1, 6, 1_600_000_000_100), (1, 7, 1_599_999_999_999)))
    sequences = log.to_sequences()
    assert sequences.vocabulary.decode(sequences.items) == [7, 6, 5]
    assert sequences.timestamps is not None
    assert sequences.timestamps.tolist() == [1_599_999_999, 1_600_000_000, 1_600_000_000]
    floats = log_from_frame(frame_of((1, 5, 2.75), (1, 6, -0.5))).to_sequences()
    assert floats.timestamps is not None
    assert floats.timestamps.tolist() == [-1, 2]


def test_only_clocks_give_timestamps() -> None:
    assert log_from_frame(pl.DataFrame({"user": [1, 1], "item": [1, 2], "position": [2, 1]})).timestamps() is None
    assert log_from_frame(pl.DataFrame({"user": [1, 1], "item": [1, 2]})).to_sequences().timestamps is None


def test_a_given_vocabulary_keeps_its_indices() -> None:
    log = log_from_frame(frame_of((1, 5, 1), (1, 6, 2)))
    assert log.to_sequences(Vocabulary.of([7, 6, 5])).items.tolist() == [3, 2]


def test_unknown_items_are_an_error_unless_dropped() -> None:
    log = log_from_frame(frame_of((1, 5, 1), (1, 6, 2), (2, 6, 3)), name="shop")
    known = Vocabulary.of([5])
    with pytest.raises(DataError, match="shop: 1 of its items are not in the vocabulary of the model, such as 6"):
        log.to_sequences(known)
    kept = log.known_items(known)
    assert kept.frame.rows() == [(1, 5, 1)]
    assert kept.notes[-1] == "dropped interactions with unknown items: 2"
    assert kept.to_sequences(known).items.tolist() == [1]
    assert log.known_items(Vocabulary.of([5, 6])).notes == log.notes
    with pytest.raises(DataError, match="shop: the vocabulary of 1 items knows none of its items"):
        log.known_items(Vocabulary.of([8]))


def test_ids_are_the_same_ones_as_integers_and_as_strings() -> None:
    integers = log_from_frame(frame_of((1, 5, 1), (1, 6, 2), (1, 7, 3)))
    of_strings = Vocabulary.of(["x5", "06", "6", "5"])
    assert integers.known_items(of_strings).to_sequences(of_strings).items.tolist() == [4, 3]
    strings = log_from_frame(pl.DataFrame({"user": [1, 1, 1, 1], "item": ["5", "06", "x5", "6"], "time": [1, 2, 3, 4]}))
    of_integers = Vocabulary.of([6, 5])
    assert strings.known_items(of_integers).to_sequences(of_integers).items.tolist() == [2, 1]
    grown = of_strings.extended([5, 7])
    assert grown.ids.to_list() == ["x5", "06", "6", "5", "7"]
    assert integers.to_sequences(grown).items.tolist() == [4, 3, 5]


@pytest.mark.parametrize(
    ("frame", "kind", "message"),
    [
        ({"user_id": [1], "item_id": [1]}, "clock", "has the columns ['user_id', 'item_id', 'time'], found"),
        ({"user_id": [1], "item_id": [1], "time": [1]}, "none", "has the columns ['user_id', 'item_id'], found"),
        ({"user_id": [], "item_id": []}, "none", "needs interactions, found none"),
        ({"user_id": [2, 1], "item_id": [1, 1]}, "none", "is sorted by user, then time"),
        ({"user_id": [1, 1], "item_id": [1, 1], "time": [2, 1]}, "clock", "is sorted by user, then time"),
    ],
)
def test_a_log_checks_itself(frame: dict[str, list[int]], kind: TimeKind, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        InteractionLog(pl.DataFrame(frame), kind)


def test_a_log_prints_its_sizes() -> None:
    log = log_from_frame(frame_of((1, 5, 1), (1, 6, 2)), name="shop")
    assert repr(log) == "InteractionLog(name='shop', num_users=1, num_items=2, num_interactions=2, time='clock')"


def test_one_time_for_all_is_told() -> None:
    rows = {"user": [1, 1, 2], "item": [1, 2, 3], "time": [5, 5, 5]}
    told = "all interactions have the same time: the order of the file is taken as the order in time"
    assert told in log_from_frame(pl.DataFrame(rows)).notes
    assert told not in log_from_frame(pl.DataFrame(rows | {"time": [5, 5, 6]})).notes
