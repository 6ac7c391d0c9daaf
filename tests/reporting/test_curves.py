import pytest

from gsrec.reporting.curves import model_curves

from .conftest import WriteRun


def _history(*values: float | None, seconds: float = 10.0) -> list[dict[str, object]]:
    return [
        {
            "epoch": epoch,
            "loss": 1.0,
            "seconds": seconds * epoch,
            "validation": None if value is None else {"MRR": value},
        }
        for epoch, value in enumerate(values, start=1)
    ]


def test_the_mean_is_over_the_epochs_that_all_seeds_validated(write_run: WriteRun) -> None:
    runs = [
        write_run("sasrec", [1], 1, history=_history(0.1, None, 0.3, 0.4)),
        write_run("sasrec", [1], 2, history=_history(0.3, 0.4, 0.5, seconds=20.0)),
    ]
    curves = model_curves(runs, "MRR")
    assert curves.mean is not None
    assert curves.mean.epochs.tolist() == [1, 3]
    assert curves.mean.seconds.tolist() == [15.0, 45.0]
    assert curves.mean.values.tolist() == pytest.approx([0.2, 0.4])
    assert [curve.epochs.tolist() for curve in curves.seeds] == [[1, 3, 4], [1, 2, 3]]
    assert curves.height == pytest.approx(0.4)


def test_a_model_that_is_not_trained_in_epochs_has_a_level(write_run: WriteRun) -> None:
    runs = [write_run("poprec", [1], history=[], validation={"MRR": 0.25})]
    curves = model_curves(runs, "MRR")
    assert (curves.mean, curves.seeds, curves.level, curves.height) == (None, (), 0.25, 0.25)
    assert curves.is_known


def test_seeds_without_a_common_epoch_have_no_mean(write_run: WriteRun) -> None:
    runs = [
        write_run("sasrec", [1], 1, history=_history(0.1)),
        write_run("sasrec", [1], 2, history=_history(None, 0.1)),
    ]
    assert model_curves(runs, "MRR").mean is None


def test_nothing_measured_is_nothing_known(write_run: WriteRun) -> None:
    curves = model_curves([write_run("poprec", [1], history=[], validation=None)], "MRR")
    assert not curves.is_known
    assert curves.height == 0.0
