import itertools
import json

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from gsrec.data import Spread, describe, log_from_frame

EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


def test_sizes_lengths_and_density() -> None:
    users = [user for user in range(10) for _ in range(user + 1)]
    items = [place for user in range(10) for place in range(user + 1)]
    description = describe(log_from_frame(pl.DataFrame({"user": users, "item": items}), name="shop"))
    assert (description.num_users, description.num_items, description.num_interactions) == (10, 10, 55)
    assert description.user_interactions == Spread(5.5, 1, 3, 5, 8, 9, 10)
    assert description.item_interactions == description.user_interactions
    assert (description.density, description.num_short_users) == (0.55, 2)
    assert (description.name, description.time_kind) == ("shop", "none")
    assert (description.first_time, description.last_time, description.num_time_ties) == (None, None, 0)


@given(EVENTS)
def test_ties_and_repeats_are_counted(events: list[tuple[int, int, int]]) -> None:
    log = log_from_frame(pl.DataFrame(events, schema=["user", "item", "time"], orient="row"))
    rows = log.frame.rows()
    steps = [(one, two) for one, two in itertools.pairwise(rows) if one[0] == two[0]]
    description = describe(log)
    assert description.num_time_ties == sum(one[2] == two[2] for one, two in steps)
    assert description.num_consecutive_repeats == sum(one[1] == two[1] for one, two in steps)
    assert description.num_repeats == len(rows) - len({row[:2] for row in rows})
    assert description.num_duplicates == len(rows) - len(set(rows))


def test_the_time_span_is_in_utc_and_whole_seconds() -> None:
    frame = pl.DataFrame({"user": [1, 1], "item": [1, 2], "time": [1_600_000_000_500, 1_500_000_000_000]})
    description = describe(log_from_frame(frame))
    assert (description.first_time, description.last_time) == ("2017-07-14T02:40:00Z", "2020-09-13T12:26:40Z")


def test_positions_span_no_time() -> None:
    description = describe(log_from_frame(pl.DataFrame({"user": [1, 1], "item": [1, 2], "position": [1, 2]})))
    assert (description.first_time, description.time_kind) == (None, "position")


def test_a_single_item_can_be_described() -> None:
    assert describe(log_from_frame(pl.DataFrame({"user": [1], "item": [1]}))).density == 1


def test_the_fingerprint_is_that_of_the_sequences() -> None:
    log = log_from_frame(pl.DataFrame({"user": [1, 1, 2], "item": [1, 2, 2]}))
    assert describe(log).fingerprint == log.to_sequences().fingerprint


def test_a_record_is_json() -> None:
    description = describe(log_from_frame(pl.DataFrame({"user": [1, 1], "item": [1, 2], "time": [1, 1]})))
    record = json.loads(json.dumps(description.record()))
    assert record["user_interactions"]["maximum"] == 2
    assert record["notes"] == list(description.notes)
