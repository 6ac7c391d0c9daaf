"""The audit on logs small enough to count by eye."""

from collections.abc import Callable

import polars as pl

from gsrec.data import Sequences, Split, leave_one_out, log_from_frame
from gsrec.evaluation.audit import Audit, audit, audit_log

Maker = Callable[..., Sequences]


def test_an_audit_by_eye(sequences_of: Maker) -> None:
    histories = [[1, 2, 3, 4], [2, 1, 1, 1], [5, 1, 2, 3]]
    times = [[0, 1, 2, 3], [10, 20, 20, 30], [0, 5, 9, 9]]
    split = leave_one_out(sequences_of(histories, num_items=6, times=times))
    assert audit(split, "test") == Audit(leakage=2 / 3, cold=2 / 3, time_ties=1 / 3, repeats=1 / 3)
    assert audit(split, "validation") == Audit(leakage=2 / 3, cold=1 / 3, time_ties=2 / 3, repeats=1 / 3)


def test_a_log_is_audited_in_every_way_it_can_be_split(sequences_of: Maker) -> None:
    histories, times = [[1, 2, 3], [2, 3, 1], [3, 1, 2, 4]], [[1, 2, 3], [2, 3, 9], [1, 5, 7, 10]]
    audits, left_out = audit_log(sequences_of(histories, num_items=4, times=times))
    assert [(one.split, one.targets, left_out) for one in audits] == [
        ("leave-one-out", 3, {}),
        ("temporal-0.8-0.9", 1, {}),
    ]
    assert audits[0].audit == audit(leave_one_out(sequences_of(histories, num_items=4, times=times)), "test")
    assert audits[1].audit.leakage == 0
    (only,), left_out = audit_log(sequences_of(histories, num_items=4))
    assert only.split == "leave-one-out"
    assert "has no clock times" in left_out["temporal"]
    assert audit_log(sequences_of(histories, num_items=4), held_out=4)[0] == []


def test_without_a_clock_nothing_is_said_of_time(sequences_of: Maker) -> None:
    found = audit(leave_one_out(sequences_of([[1, 2, 3]], num_items=3)), "test")
    assert found == Audit(leakage=None, cold=1.0, time_ties=None, repeats=0.0)


def test_finer_clocks_than_a_second_tell_ties_apart() -> None:
    milliseconds = [1_700_000_000_000 + number for number in range(3)]
    frame = pl.DataFrame({"user": [1, 1, 1], "item": [1, 2, 3], "timestamp": milliseconds})
    assert audit(leave_one_out(log_from_frame(frame).to_sequences()), "test").time_ties == 0.0


def test_equal_times_of_different_users_are_no_ties(sequences_of: Maker) -> None:
    split = leave_one_out(sequences_of([[1, 2, 3], [1, 2, 3]], num_items=3, times=[[1, 2, 3], [3, 4, 5]]))
    assert audit(split, "test").time_ties == 0.0
    assert audit(split, "validation").time_ties == 0.0


def test_a_user_without_events_hides_no_tie(sequences_of: Maker) -> None:
    sequences = sequences_of([[], [1, 2, 3]], num_items=3, times=[[], [5, 9, 9]])
    assert audit(leave_one_out(sequences), "test").time_ties == 1.0


def test_a_target_at_the_moment_of_the_newest_training_event_is_no_leak(sequences_of: Maker) -> None:
    split = leave_one_out(sequences_of([[1, 2, 3], [1, 2, 3]], num_items=3, times=[[7, 7, 7], [1, 2, 6]]))
    assert audit(split, "test").leakage == 0.5


def test_an_empty_part_and_an_empty_training_have_shares_of_zero(sequences_of: Maker) -> None:
    sequences = sequences_of([[1, 2]], num_items=2, times=[[1, 2]])
    nothing_held_out = Split(sequences, sequences.offsets[1:], sequences.offsets[1:])
    assert audit(nothing_held_out, "test") == Audit(leakage=0.0, cold=0.0, time_ties=0.0, repeats=0.0)
    nothing_to_train_on = Split(sequences, sequences.offsets[:-1], sequences.offsets[:-1])
    assert audit(nothing_to_train_on, "test") == Audit(leakage=0.0, cold=1.0, time_ties=0.0, repeats=0.0)


def test_training_counts_are_of_training_events_only(sequences_of: Maker) -> None:
    split = leave_one_out(sequences_of([[1, 2, 2, 3, 3], [2, 1]], num_items=4))
    assert split.train_counts().tolist() == [0, 2, 3, 0, 0]
