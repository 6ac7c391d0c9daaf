import itertools
from functools import partial

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gsrec.data import InteractionLog, log_from_frame
from gsrec.errors import ConfigError, DataError

EVENTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=60)
LEAST = st.integers(1, 4)


def log_of(*events: tuple[int, int]) -> InteractionLog:
    users, items = zip(*events, strict=True)
    return log_from_frame(pl.DataFrame({"user": users, "item": items, "time": range(len(events))}), name="log")


def pairs(log: InteractionLog) -> list[tuple[int, int]]:
    return log.frame.select("user_id", "item_id").rows()


def counts(log: InteractionLog, name: str) -> list[int]:
    return log.frame[name].value_counts()["count"].to_list()


def test_once_counts_before_anything_is_dropped() -> None:
    log = log_of((1, 1), (1, 2), (2, 1), (2, 3), (3, 1))
    kept = log.filtered(min_user_interactions=2, min_item_interactions=2)
    assert pairs(kept) == [(1, 1), (2, 1)]
    assert kept.notes[-1] == (
        "dropped interactions of users with fewer than 2 or items with fewer than 2 (counted once): 3 "
        "(users gone: 1, items gone: 2)"
    )


@given(EVENTS, LEAST, LEAST)
def test_a_k_core_holds_on_both_sides_and_is_the_largest(
    events: list[tuple[int, int]], min_user: int, min_item: int
) -> None:
    log, rest = log_of(*events), events
    while True:
        users, items = [user for user, _ in rest], [item for _, item in rest]
        kept = [(u, i) for u, i in rest if users.count(u) >= min_user and items.count(i) >= min_item]
        if kept == rest:
            break
        rest = kept
    core_of = partial(log.filtered, min_user_interactions=min_user, min_item_interactions=min_item, k_core=True)
    if not rest:
        with pytest.raises(DataError, match="none of"):
            core_of()
        return
    core = core_of()
    assert sorted(pairs(core)) == sorted(rest)
    assert min(counts(core, "user_id")) >= min_user
    assert min(counts(core, "item_id")) >= min_item


@given(EVENTS)
def test_dropping_repeats_leaves_no_item_twice_in_a_row(events: list[tuple[int, int]]) -> None:
    kept = pairs(log_of(*events).filtered(drop_repeats=True))
    assert all(first != second for first, second in itertools.pairwise(kept))
    assert set(kept) == set(events)


def test_repeats_are_kept_unless_asked_and_told_when_dropped() -> None:
    log = log_of((1, 7), (1, 7), (1, 8), (1, 7), (2, 7))
    assert pairs(log.filtered()) == pairs(log)
    assert log.filtered().notes == log.notes
    kept = log.filtered(drop_repeats=True)
    assert pairs(kept) == [(1, 7), (1, 8), (1, 7), (2, 7)]
    assert kept.notes[-1].startswith("dropped interactions that repeat the user's item just before: 1 (")


def test_repeats_are_dropped_before_counting() -> None:
    log = log_of((1, 7), (1, 7), (1, 8), (2, 7), (2, 8), (2, 7))
    assert log.filtered(drop_repeats=True, min_user_interactions=3).num_users == 1


def test_duplicates_are_dropped_if_asked() -> None:
    frame = pl.DataFrame({"user": [1, 1, 1, 1], "item": [5, 6, 5, 5], "time": [1, 1, 1, 2]})
    log = log_from_frame(frame)
    assert log.notes[1] == "interactions that repeat another's user, item and time: 1 (drop_duplicates leaves them out)"
    kept = log.filtered(drop_duplicates=True)
    assert kept.frame.rows() == [(1, 5, 1), (1, 6, 1), (1, 5, 2)]
    assert kept.notes[-1].startswith("dropped interactions with another's user, item and time: 1 (")


def test_users_with_too_many_are_dropped_before_items_are_counted() -> None:
    log = log_of((1, 7), (1, 8), (1, 9), (2, 7), (2, 9), (3, 9))
    kept = log.filtered(max_user_interactions=2, min_item_interactions=2)
    assert kept.frame.select("user_id", "item_id").rows() == [(2, 9), (3, 9)]
    assert kept.notes[-2].startswith("dropped interactions of users with more than 2: 3 (users gone: 1")
    with pytest.raises(ConfigError, match="the most interactions of a user must be at least the least, 2, found 1"):
        log.filtered(min_user_interactions=2, max_user_interactions=1)
    with pytest.raises(DataError, match=r"log: none of 6 .* every user has more than max_user_interactions=1\. Allow"):
        log_of((1, 7), (1, 8), (1, 9), (2, 7), (2, 9), (2, 8)).filtered(max_user_interactions=1)
    with pytest.raises(DataError, match=r"left \(dropped interactions of users with more than 2: 3 .* at least 3"):
        log.filtered(max_user_interactions=2, min_item_interactions=3)


def test_a_user_with_most_of_all_events_is_told() -> None:
    many = log_of(*((1, item) for item in range(2_000)), *((user, 7) for user in range(2, 300)))
    assert many.notes[-1] == (
        "users with more than 100 times the interactions of the usual one (1) have 87% of all: 1. "
        "If they are no people, max_user_interactions leaves them out"
    )


def test_duplicates_need_a_time() -> None:
    log = log_from_frame(pl.DataFrame({"user": [1, 1], "item": [5, 5]}))
    with pytest.raises(DataError, match="without a time column a repeated row cannot be told"):
        log.filtered(drop_duplicates=True)


@pytest.mark.parametrize("k_core", [False, True])
def test_nothing_left_says_what_there_was(k_core: bool) -> None:
    with pytest.raises(DataError) as error:
        log_of((1, 1), (2, 2)).filtered(min_user_interactions=2, k_core=k_core)
    assert str(error.value) == (
        "log: none of 2 interactions is left: its 2 users were to have at least 2 and its 2 items at least 1. "
        "Ask for fewer (min_user_interactions, min_item_interactions)."
    )


def test_least_numbers_begin_at_one() -> None:
    with pytest.raises(ConfigError, match="must be at least 1, found 0"):
        log_of((1, 1)).filtered(min_item_interactions=0)
