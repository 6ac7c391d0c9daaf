import pytest

from gsrec.errors import DataError
from gsrec.reporting.thesis_outcomes import our_outcomes, thesis_outcomes

from .conftest import WriteRun

TINY = {"tiny": "ML-1M", "tiny-beauty": "Beauty"}


def test_the_thesis_has_numbers_but_no_tests() -> None:
    beauty, movies = thesis_outcomes()
    assert (beauty.data, movies.data) == ("Beauty", "ML-1M")
    assert beauty.headline["GSRec"] == 0.1349
    assert beauty.test_against("SASRec") is None
    assert beauty.summary("GSRec") is None


def test_our_runs_go_by_the_names_of_the_thesis(write_run: WriteRun) -> None:
    runs = [write_run("poprec", [9, 11, 3]), write_run("gsrec:thesis", [1, 2, 3])]
    (outcome,) = our_outcomes(runs, datasets=TINY)
    assert outcome.data == "ML-1M"
    assert outcome.sizes.mean_length == 30
    assert outcome.sizes.density == 0.1
    assert outcome.values["HR@10"] == pytest.approx({"POP": 2 / 3, "GSRec": 1.0})
    assert outcome.labels == {"POP": "poprec", "GSRec": "gsrec:thesis"}
    summary = outcome.summary("GSRec")
    assert summary is not None
    assert summary.label == "gsrec:thesis"
    test = outcome.test_against("POP")
    assert test is not None
    assert test.first == "gsrec:thesis"
    assert outcome.test_against("SASRec") is None
    assert outcome.summary("SASRec") is None


def test_data_come_in_the_order_of_the_thesis(write_run: WriteRun) -> None:
    beauty = {"name": "tiny-beauty", "fingerprint": "b" * 64, "num_users": 9, "num_items": 9, "num_interactions": 30}
    runs = [write_run("poprec", [9, 11]), write_run("poprec", [1, 1], 2, data=beauty)]
    assert [outcome.data for outcome in our_outcomes(runs, datasets=TINY)] == ["Beauty", "ML-1M"]


def test_a_log_that_is_not_the_thesiss_is_named(write_run: WriteRun) -> None:
    with pytest.raises(DataError, match=r"no place for 'tiny': expected one of amazon-beauty, .*ml-1m"):
        our_outcomes([write_run("poprec", [1, 2])])


def test_a_model_that_is_not_the_thesiss_is_named(write_run: WriteRun) -> None:
    with pytest.raises(DataError, match="no place for 'lrurec': expected poprec, gru4rec, sasrec, bert4rec, gsrec"):
        our_outcomes([write_run("lrurec", [1, 2])], datasets=TINY)


def test_two_labels_of_one_model_are_named(write_run: WriteRun) -> None:
    runs = [write_run("gsrec", [1, 2]), write_run("gsrec:thesis", [1, 2])]
    message = "one place for GSRec, and the results on tiny hold 'gsrec' and 'gsrec:thesis'. Give results with one"
    with pytest.raises(DataError, match=message):
        our_outcomes(runs, datasets=TINY)


def test_two_logs_for_the_same_data_are_an_error(write_run: WriteRun) -> None:
    other = {"name": "other", "fingerprint": "b" * 64, "num_users": 9, "num_items": 9, "num_interactions": 30}
    runs = [write_run("poprec", [9, 11]), write_run("gsrec", [1, 1], data=other)]
    with pytest.raises(DataError, match="gsrec with seed 1 has data 'other' and not 'tiny'"):
        our_outcomes(runs, datasets={"tiny": "Beauty", "other": "Beauty"})
