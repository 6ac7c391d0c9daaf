from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from gsrec.data import Sequences, Split, global_temporal, last_n, leave_one_out, log_from_frame
from gsrec.data.splits import TargetRule, at_moments, ends_at
from gsrec.errors import ConfigError, DataError

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=12)
HISTORIES = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=12).map(sorted), min_size=4, max_size=12)
RULES: list[TargetRule] = ["first", "last", "all"]


def sequences_of(histories: list[list[int]]) -> Sequences:
    """Histories whose events stand at these times."""
    events = [(user, event % 7, time) for user, times in enumerate(histories) for event, time in enumerate(times)]
    events += [(len(histories), 8, 0), (len(histories), 9, 0)]
    return log_from_frame(pl.DataFrame(events, schema=["user", "item", "time"], orient="row")).to_sequences()


def parts(split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N,) bool each: which events are for training, validation, test."""
    starts, ends = split.sequences.offsets[:-1], split.sequences.offsets[1:]
    bounds = [(starts, split.train_ends), (split.train_ends, split.validation_ends), (split.validation_ends, ends)]
    masks = []
    for firsts, lasts in bounds:
        mask = np.zeros(split.sequences.num_interactions, dtype=bool)
        for first, last in zip(firsts, lasts, strict=True):
            mask[first:last] = True
        masks.append(mask)
    return masks[0], masks[1], masks[2]


def assert_nothing_is_lost(split: Split) -> None:
    train, validation, test = parts(split)
    assert (train.astype(int) + validation + test == 1).all()
    assert (split.train_mask() == train).all()
    assert split.num_train == train.sum()
    for part, mask in (("validation", validation), ("test", test)):
        targets = split.targets(part)  # type: ignore[arg-type]
        assert mask[targets.positions].all()
        assert (targets.starts < targets.positions).all()
        assert (targets.starts == split.sequences.offsets[targets.users]).all()
        assert (targets.positions < split.sequences.offsets[targets.users + 1]).all()


@given(LENGTHS, st.integers(1, 3))
def test_last_n_holds_out_the_newest_and_loses_nothing(lengths: list[int], n: int) -> None:
    sequences = sequences_of([list(range(length)) for length in lengths])
    judged = [user for user, length in enumerate(lengths) if length >= 2 * n + 1]
    assume(judged)
    split = last_n(sequences, n)
    assert_nothing_is_lost(split)
    test, validation = split.targets("test"), split.targets("validation")
    assert len(test) == len(validation) == n * len(judged)
    ends = sequences.offsets[1:]
    assert test.positions.tolist() == [ends[user] - n + step for user in judged for step in range(n)]
    assert validation.positions.tolist() == [ends[user] - 2 * n + step for user in judged for step in range(n)]


@given(LENGTHS)
def test_leave_one_out_is_last_1(lengths: list[int]) -> None:
    assume(max(lengths) >= 3)
    sequences = sequences_of([list(range(length)) for length in lengths])
    for split in (leave_one_out(sequences), last_n(sequences, 1)):
        ends, judged = sequences.offsets[1:], sequences.lengths >= 3
        assert (split.train_ends == ends - 2 * judged).all()
        assert (split.validation_ends == ends - judged).all()
        assert split.name == "leave-one-out"


@given(HISTORIES, st.sampled_from(RULES), st.floats(0.1, 0.6), st.floats(0.65, 0.95))
def test_a_temporal_split_never_trains_on_the_future(
    histories: list[list[int]], rule: TargetRule, validation: float, test: float
) -> None:
    sequences = sequences_of(histories)
    try:
        split = global_temporal(sequences, validation=validation, test=test, rule=rule)
    except DataError:
        reject()
    assert_nothing_is_lost(split)
    assert sequences.timestamps is not None
    times = [sequences.timestamps[mask] for mask in parts(split)]
    assert times[0].max() < times[1].min()
    assert times[1].max() < times[2].min()
    assert split.known_until() == times[0].max()


def test_the_rule_says_which_held_out_events_are_targets() -> None:
    sequences = sequences_of([[0, 1, 2, 3, 11, 12, 13, 21, 22, 23], [0] * 30, [21, 22]])
    found = {rule: global_temporal(sequences, validation=0.7, test=0.85, rule=rule) for rule in RULES}
    positions = {rule: split.targets("test").positions.tolist() for rule, split in found.items()}
    assert positions["all"] == [6, 7, 8, 9, 41]
    assert positions["first"] == [6, 41]
    assert positions["last"] == [9, 41]
    assert found["last"].name == "temporal-0.7-0.85"


def test_where_users_last_events_are_held_out_all_until_the_newest_is_known() -> None:
    sequences = sequences_of([[0, 1, 2, 20], [3, 4, 5]])
    assert leave_one_out(sequences).known_until() == 20
    ends = sequences.offsets[1:]
    assert Split(sequences, ends, ends).known_until() == 20
    timeless = log_from_frame(
        pl.DataFrame({"user": [1, 1, 1], "item": [1, 2, 3], "position": [1, 2, 3]})
    ).to_sequences()
    assert leave_one_out(timeless).known_until() is None


def test_users_too_short_are_trained_on_whole() -> None:
    split = leave_one_out(sequences_of([[1, 2], [1, 2, 3]]))
    assert split.train_mask().tolist() == [True, True, True, False, False, True, True]
    assert repr(split) == "Split(name='leave-one-out', train=5 events, validation=1 targets, test=1 targets)"


def test_every_user_too_short() -> None:
    with pytest.raises(
        DataError, match=r"every user of frame is too short: holding out 2 \+ 2 events needs users with at least 5"
    ):
        last_n(sequences_of([[1, 2, 3]]), 2)


def test_n_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="last-n needs n of at least 1, found 0"):
        last_n(sequences_of([[1, 2, 3]]), 0)


@pytest.mark.parametrize(("validation", "test"), [(0, 0.5), (0.5, 0.5), (0.9, 0.8), (0.5, 1)])
def test_shares_must_be_in_order(validation: float, test: float) -> None:
    with pytest.raises(ConfigError, match="needs 0 < validation < test < 1, found"):
        global_temporal(sequences_of([[1, 2, 3]]), validation=validation, test=test)


def test_a_temporal_split_needs_a_clock() -> None:
    log = log_from_frame(pl.DataFrame({"user": [1, 1, 1], "item": [1, 2, 3]}))
    with pytest.raises(DataError, match=r"^frame has no clock times, which a temporal split needs"):
        global_temporal(log.to_sequences())


def test_a_temporal_split_must_leave_something_of_everything() -> None:
    with pytest.raises(
        DataError, match=r"the split temporal-0\.8-0\.9 of frame leaves training, validation or test empty"
    ):
        global_temporal(sequences_of([[0, 0, 0, 0]]))
    for moments in ((-1, 6), (6, 6), (6, 9)):
        with pytest.raises(DataError, match="the split at-moments of frame leaves training, validation or test empty"):
            at_moments(sequences_of([[1, 5, 9], [6, 7]]), *moments)


def test_a_split_checks_its_cuts() -> None:
    sequences = sequences_of([[1, 2, 3]])
    with pytest.raises(DataError, match="must cut every history in order: train, validation, test"):
        Split(sequences, np.array([2, 5]), np.array([1, 5]))


def test_what_was_before_a_moment_needs_a_clock() -> None:
    timed = sequences_of([[1, 5, 9], [6, 7]])
    assert ends_at(timed, 5)[:2].tolist() == [2, 3]
    with pytest.raises(DataError, match="has no clock times"):
        ends_at(replace(timed, timestamps=None), 5)


def test_equal_cuts_have_equal_hashes_whoever_made_them() -> None:
    sequences = sequences_of([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]])
    ends, judged = sequences.offsets[1:], sequences.lengths >= 3
    split = leave_one_out(sequences)
    assert split.cuts == Split(sequences, ends - 2 * judged, ends - judged, name="own").cuts
    shorter = Split(sequences, ends - 3 * judged, ends - judged)
    untested = Split(sequences, ends - 2 * judged, ends)
    assert len({one.cuts for one in (split, last_n(sequences, 2), shorter, untested)}) == 4
