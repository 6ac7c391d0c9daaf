"""Plans: what is told, and that what does not fit is not tried."""

import time
from pathlib import Path

import numpy as np
import pytest

from gsrec.data.splits import Split, leave_one_out
from gsrec.data.synthetic import synthetic_log
from gsrec.errors import ConfigError
from gsrec.experiment import plan as planning
from gsrec.experiment.configure import run_config
from gsrec.experiment.plan import Plan, available_bytes, forget_peak, peak_bytes, plan_training
from gsrec.models import SASRec, SASRecConfig
from gsrec.training.training import Training

SMALL = ("embedding_size=8", "batch_size=16", "max_length=20")


@pytest.fixture
def split(monkeypatch: pytest.MonkeyPatch) -> Split:
    monkeypatch.setattr(planning, "SECONDS_TO_TRY", 0.05)
    return leave_one_out(synthetic_log(num_users=80, num_items=30).to_sequences())


def planned(split: Split, *settings: str) -> Plan:
    return plan_training(split, run_config("sasrec", settings=(*SMALL, *settings)))


def test_a_plan_tells_time_and_memory(split: Split) -> None:
    before = peak_bytes()
    plan = planned(split, "precision=float32")
    assert plan.fits
    assert plan.advice == ()
    assert plan.precision == "float32"
    assert 5 <= plan.num_steps <= 10
    assert plan.seconds_an_epoch is not None
    assert plan.seconds_an_epoch > 0
    assert plan.seconds_a_validation is not None
    assert 0 < plan.seconds_a_validation < 60
    assert 2**26 < plan.peak_bytes <= max(before, peak_bytes()) + 2**24
    assert plan.seconds_to_begin > 0
    assert plan.record()["fits"] is True


def test_the_memory_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    available = available_bytes()
    assert available is None or available > 2**27
    monkeypatch.setattr(Path, "exists", lambda path: False)
    assert available_bytes() is None


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the system cannot forget the peak")
def test_what_was_freed_before_the_steps_hides_nothing_of_them() -> None:
    freed = np.ones(2**27)  # a GiB
    before = peak_bytes()
    del freed
    forget_peak()
    assert peak_bytes() < before - 2**29


def test_where_memory_is_unknown_everything_is_tried(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "available_bytes", lambda: None)
    plan = planned(split)
    assert plan.fits
    assert plan.seconds_an_epoch is not None


@pytest.mark.parametrize(
    ("settings", "first"), [((), "--set batch_size=8"), (("embedding_size=65536",), "--set embedding_size=32768")]
)
def test_what_will_not_fit_is_not_tried(
    settings: tuple[str, ...], first: str, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = iter([1_300, 1_400, 1_800, 2_600])  # before, with a row, with an eighth, with a quarter
    sizes: list[int] = []
    monkeypatch.setattr(planning, "peak_bytes", lambda: next(peaks))
    monkeypatch.setattr(planning, "available_bytes", lambda: 3_000)
    monkeypatch.setattr(planning, "new_model", lambda *_: planning_model(split))
    monkeypatch.setattr(Training, "step", lambda self, rows: sizes.append(len(rows)))
    monkeypatch.setattr(planning, "ITEM_TABLE_IS_LARGE", 2**20)
    plan = planned(split, *settings)
    assert not plan.fits
    assert plan.peak_bytes == 1_400 + 4 * 1_200
    assert plan.seconds_an_epoch is None
    assert plan.seconds_a_validation is None
    assert (len(sizes), sizes[0]) == (3, 1)
    assert sizes[2] == pytest.approx(2 * sizes[1], abs=1)
    assert plan.advice[0].startswith(first)
    assert len(plan.advice) == 3


def test_what_does_not_grow_with_a_batch_is_not_multiplied(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter([0, 2**40, 2**40 + 10, 2**40 + 20, 2**40 + 40, 2**40 + 80])
    monkeypatch.setattr(planning, "peak_bytes", lambda: next(peaks, 2**40 + 80))
    monkeypatch.setattr(planning, "available_bytes", lambda: 2**40 + 80)
    monkeypatch.setattr(Training, "step", lambda self, rows: None)
    plan = planned(split)
    assert plan.fits
    assert plan.peak_bytes == 2**40 + 80


def test_what_is_copied_to_be_kept_counts(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_resident_bytes", lambda: 2**40)
    plan = planned(split, "averaging=0.9", "embedding_size=64")
    states = 1 + 1 + 2 + 2  # weights, their average, Adam's two moments; the best weights, and once more in the file
    assert plan.peak_bytes - 2**40 == pytest.approx(states * 4 * plan.num_parameters, rel=0.1)


def test_many_items_ask_for_a_loss_with_negatives(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MANY_ITEMS", 20)
    assert planned(split).advice[0].startswith("--set loss=sampled-softmax")
    assert planned(split, "loss=sampled-softmax", "num_negatives=4").advice == ()


def planning_model(split: Split) -> SASRec:
    return SASRec(split.sequences.num_items, SASRecConfig(embedding_size=8, max_length=20))


def test_a_model_that_counts_needs_no_plan(split: Split) -> None:
    with pytest.raises(ConfigError, match="poprec only counts: there is nothing to plan"):
        plan_training(split, run_config("poprec"))


def test_time_goes_by_what_batches_hold(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    clock = iter(np.arange(1000.0))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(Training, "step", lambda self, rows: tried.append(rows.numel()))
    monkeypatch.setattr(planning, "SECONDS_TO_TRY", 1.5)
    plan = planned(split)
    of_time = tried[1 + len(planning.SHARES) :]
    assert len(of_time) == 2
    assert plan.seconds_an_epoch is not None
    assert plan.seconds_an_epoch >= 2.0
