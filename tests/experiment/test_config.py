"""A description of the data filters and cuts a log as it says; a run has a label."""

from __future__ import annotations

from typing import Any

import pytest

from gsrec.data.sequences import Sequences
from gsrec.data.synthetic import synthetic_log
from gsrec.errors import ConfigError
from gsrec.experiment.config import DataConfig
from gsrec.experiment.configure import run_config


def test_the_label_tells_the_preset() -> None:
    assert run_config("gsrec", "thesis", seed=5).label == "gsrec:thesis"


@pytest.fixture(scope="module")
def sequences() -> Sequences:
    return synthetic_log(num_users=20, num_items=10, mean_length=8).to_sequences()


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (DataConfig(), "leave-one-out"),
        (DataConfig(split="last-n", held_out=2), "last-2"),
        (DataConfig(split="temporal"), "temporal-0.8-0.9"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_split_is_the_one_configured(sequences: Sequences, config: DataConfig, name: str) -> None:
    assert config.cut(sequences).name == name


@pytest.mark.parametrize(
    ("moments", "message"),
    [
        (["training_until=5"], "needs training_until and validation_until"),
        (["training_until=5", "validation_until=5"], "training_until must be before validation_until, found 5 and 5"),
    ],
)
def test_moments_are_given_in_order(moments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_config("gsrec", settings=["split=at-moments", *moments])


def test_filters_are_the_ones_configured() -> None:
    log = synthetic_log(num_users=50, num_items=30, mean_length=6)
    given: dict[str, Any] = {
        "min_user_interactions": 6,
        "min_item_interactions": 4,
        "drop_repeats": True,
        "drop_duplicates": True,
    }
    kept = DataConfig(**given, k_core=True).filtered(log)
    assert kept.frame["user_id"].value_counts()["count"].min() >= 6  # type: ignore[operator]
    assert kept.frame["item_id"].value_counts()["count"].min() >= 4  # type: ignore[operator]
    assert kept.frame.equals(log.filtered(**given, k_core=True).frame)
