import numpy as np
import pytest

from gsrec.data import synthetic_log
from gsrec.errors import ConfigError


def best_successor_share(predictability: float, num_items: int = 50) -> float:
    """The share of steps that go to the most usual next item."""
    log = synthetic_log(num_users=2000, num_items=num_items, predictability=predictability)
    sequences = log.to_sequences()
    inner = np.ones(sequences.num_interactions, dtype=bool)
    inner[sequences.offsets[1:] - 1] = False
    before = np.flatnonzero(inner)
    pairs = np.zeros((num_items + 1, num_items + 1))
    np.add.at(pairs, (sequences.items[before], sequences.items[before + 1]), 1)
    return float(pairs.max(axis=1).sum() / pairs.sum())


def test_the_knob_is_the_share_of_certain_steps() -> None:
    certain, half, noise = (best_successor_share(knob) for knob in (1.0, 0.5, 0.0))
    assert certain == 1
    assert half == pytest.approx(0.5 + 0.5 / 50, abs=0.12)
    assert noise < 0.3


def test_in_noise_the_next_item_depends_on_nothing_but_popularity() -> None:
    sequences = synthetic_log(num_users=5000, num_items=5, predictability=0.0).to_sequences()
    after = sequences.items[1:]
    shares = [np.bincount(after[sequences.items[:-1] == item], minlength=6)[1:] for item in range(1, 6)]
    rows = np.array([row / row.sum() for row in shares])
    assert np.ptp(rows, axis=0).max() < 0.02
    assert sorted(rows.mean(axis=0), reverse=True) == pytest.approx(
        1 / np.arange(1, 6) / sum(1 / np.arange(1, 6)), abs=0.01
    )


def test_equal_seeds_make_equal_logs() -> None:
    first, second, other = (synthetic_log(seed=seed) for seed in (3, 3, 4))
    assert first.frame.equals(second.frame)
    assert not first.frame.equals(other.frame)


def test_sizes_are_as_asked_and_every_user_can_be_judged() -> None:
    log = synthetic_log(num_users=400, num_items=30, mean_length=12)
    lengths = log.to_sequences().lengths
    assert (log.num_users, log.num_items) == (400, 30)
    assert lengths.min() >= 3
    assert lengths.mean() == pytest.approx(12, abs=0.5)
    assert log.notes == ("made up: 30 items, predictability 0.8, seed 0",)


def test_every_users_clock_runs_forward() -> None:
    log = synthetic_log(num_users=50)
    assert log.time_kind == "clock"
    assert log.num_duplicates == 0
    assert all(
        times.is_sorted() and times.n_unique() == len(times)
        for times in log.frame.group_by("user_id").agg("time")["time"]
    )


@pytest.mark.parametrize(
    ("num_users", "num_items", "mean_length", "predictability"),
    [
        (0, 5, 5, 0.5),
        (5, 1, 5, 0.5),
        (5, 5, 2.9, 0.5),
        (5, 5, 5, -0.1),
        (5, 5, 5, 1.1),
        (5, 5, 5, float("nan")),
        (5, 5, float("inf"), 0.5),
    ],
)
def test_arguments_out_of_range(num_users: int, num_items: int, mean_length: float, predictability: float) -> None:
    with pytest.raises(ConfigError, match="a synthetic log needs num_users >= 1, num_items >= 2"):
        synthetic_log(num_users=num_users, num_items=num_items, mean_length=mean_length, predictability=predictability)


def test_a_seed_is_not_negative() -> None:
    with pytest.raises(ConfigError, match=r"and seed >= 0, found .* and -1"):
        synthetic_log(seed=-1)
