import json
from math import log2, sqrt

import pytest

from gsrec.errors import DataError
from gsrec.reporting.comparison import compare_runs, summarise_model

from .conftest import WriteRun

TINY = {"name": "tiny", "fingerprint": "f" * 64, "num_users": 3, "num_items": 9, "num_interactions": 20}


def test_means_and_deviations_are_over_seeds(write_run: WriteRun) -> None:
    runs = [write_run("sasrec", [1, 11], 1), write_run("sasrec", [1, 1], 2), write_run("sasrec", [3, 3], 4)]
    summary = summarise_model(runs)
    assert summary.seeds == (1, 2, 4)
    assert summary.means["NDCG@10"] == pytest.approx((0.5 + 1.0 + 0.5) / 3)
    assert summary.deviations["NDCG@10"] == pytest.approx(sqrt(2 * (1 / 6) ** 2 + (1 / 3) ** 2) / sqrt(2))
    assert summary.means["HR@1"] == pytest.approx(0.5)
    assert summary.costs.epoch_seconds == pytest.approx(30 * 7 / 3)
    assert (summary.costs.best_epoch, summary.costs.best_seconds) == (1, 30)
    assert (summary.costs.num_parameters, summary.costs.event_seconds) == (12345, 0.0005)


def test_a_single_seed_has_no_deviation(write_run: WriteRun) -> None:
    assert summarise_model([write_run("sasrec", [1, 11])]).deviations == {}


def test_a_metric_that_some_runs_lack_is_left_out(write_run: WriteRun) -> None:
    runs = [write_run("sasrec", [1]), write_run("sasrec", [1], 2, metrics={"MRR": 0.5})]
    assert summarise_model(runs).means == {"MRR": 0.75}


def test_models_are_compared_over_the_same_users(write_run: WriteRun) -> None:
    runs = [write_run("poprec", [4, 20, 5]), write_run("sasrec", [1, 2, 3]), write_run("sasrec", [1, 2, 1], 2)]
    comparison = compare_runs(runs)
    assert [model.label for model in comparison.models] == ["poprec", "sasrec"]
    (pair,) = comparison.significance.pairs
    assert (pair.first, pair.second) == ("sasrec", "poprec")
    sasrec = 1 + 1 / log2(3) + (0.5 + 1) / 2
    assert pair.difference == pytest.approx((sasrec - 1 / log2(5) - 1 / log2(6)) / 3)
    assert comparison.num_users_evaluated == 3
    assert (comparison.threads, comparison.versions) == ((2,), {"0.1.0": ("abc1234",)})
    assert comparison.notes == ()
    assert repr(comparison) == "Comparison(tiny: 2 models, 3 runs, 1 paired tests)"


def test_another_metric_can_be_tested(write_run: WriteRun) -> None:
    runs = [write_run("poprec", [4, 20]), write_run("sasrec", [1, 2])]
    significance = compare_runs(runs, metric="HR@10").significance
    assert significance.metric == "HR@10"
    assert significance.pairs[0].difference == pytest.approx(0.5)


def test_the_record_is_json(write_run: WriteRun) -> None:
    runs = [write_run("poprec", [4, 20]), write_run("sasrec", [1, 2], commit=None, threads=None)]
    record = json.loads(json.dumps(compare_runs(runs).record()))
    assert record["data"]["name"] == "tiny"
    assert record["protocol"]["ties"] == "against the model"
    assert record["models"][0]["means"]["HR@5"] == pytest.approx(0.5)
    assert record["significance"]["pairs"][0]["first"] == "sasrec"
    assert record["versions"] == {"0.1.0": ["abc1234"]}


def test_models_without_ranks_are_compared_but_not_tested(write_run: WriteRun) -> None:
    runs = [write_run("poprec", [4, 20]), write_run("sasrec", [1, 2]), write_run("gsrec", [1, 1])]
    path = runs[0].ranks_path
    assert path is not None
    path.unlink()
    comparison = compare_runs(runs)
    assert len(comparison.models) == 3
    assert [(pair.first, pair.second) for pair in comparison.significance.pairs] == [("gsrec", "sasrec")]
    assert comparison.notes == (
        "No paired tests and no breakdown of poprec: their per-user ranks are not beside the results.",
    )


@pytest.mark.parametrize(
    ("training", "was_cut_short"),
    [
        ({"epochs": 3, "patience": 5}, False),  # ended before
        ({"epochs": 2, "patience": 5}, True),
        ({"epochs": 2, "patience": 1}, False),  # waited as long as it was to
        ({"epochs": 2, "patience": 0}, False),
        ({"epochs": 2}, False),
        ({}, False),
    ],
)
def test_a_model_that_more_epochs_might_help_is_named(
    write_run: WriteRun, training: dict[str, int], was_cut_short: bool
) -> None:
    runs = [write_run("sasrec", [1, 2], config={"training": training}), write_run("gsrec", [1, 1])]
    told = "Ended by the most epochs they were given, so more might be better: sasrec."
    assert (told in compare_runs(runs).notes) == was_cut_short


def test_a_model_whose_last_epoch_was_its_best_is_named(write_run: WriteRun) -> None:
    last = {"epochs": 2, "best_epoch": 2, "seconds": 60.0, "num_parameters": 1}
    runs = [write_run("sasrec", [1, 2], config={"training": {"epochs": 2}}, training=last)]
    assert "sasrec" in compare_runs(runs).notes[-1]


def test_one_judged_user_allows_no_test(write_run: WriteRun) -> None:
    comparison = compare_runs([write_run("poprec", [4]), write_run("sasrec", [1])])
    assert comparison.significance.pairs == ()
    assert comparison.notes == ("No paired tests and no breakdown: they need at least two users, and one was judged.",)


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(DataError, match="there are no results to compare: give at least one run"):
        compare_runs([])


def test_an_unknown_reference_is_an_error(write_run: WriteRun) -> None:
    with pytest.raises(DataError, match="no run is called 'gru' to compare with: found sasrec, gru4rec"):
        compare_runs([write_run("sasrec", [1, 2]), write_run("gru4rec", [1, 2])], reference="gru")


def test_other_cuts_are_an_error_where_they_are_known(write_run: WriteRun) -> None:
    cut = [{**TINY, "cuts": letter * 64} for letter in "ab"]
    first, unknown = write_run("sasrec", [1, 2], data=cut[0]), write_run("gsrec", [2, 1], data=TINY)
    with pytest.raises(DataError, match="poprec with seed 1 has cuts 'bbbbbbbbbbbb' and not 'aaaaaaaaaaaa'"):
        compare_runs([first, unknown, write_run("poprec", [1, 1], data=cut[1])])
    assert len(compare_runs([unknown, first]).models) == 2


def test_other_data_is_an_error_that_names_the_runs(write_run: WriteRun) -> None:
    runs = [write_run("sasrec", [1, 2]), write_run("gsrec", [1, 2], data=TINY), write_run("poprec", [1, 2])]
    message = (
        "cannot stand in one table. Against sasrec with seed 1, gsrec with seed 1 has data fingerprint "
        "'ffffffffffff' and not '0123456789ab'. Compare runs of the same data and protocol only."
    )
    with pytest.raises(DataError, match=message):
        compare_runs(runs)


def test_another_protocol_split_or_number_of_users_is_an_error(write_run: WriteRun) -> None:
    sampled = {"part": "test", "candidates": "uniform:100", "filter_seen": True, "ties": "against the model"}
    runs = [
        write_run("sasrec", [1, 2]),
        write_run("gsrec", [1, 2], protocol=sampled),
        write_run("poprec", [1, 2, 3], split="last-2"),
    ]
    message = (
        "gsrec with seed 1 has protocol candidates 'uniform:100' and not 'full'; poprec with seed 1 has "
        "split 'last-2' and not 'leave-one-out', users judged 3 and not 2"
    )
    with pytest.raises(DataError, match=message):
        compare_runs(runs)


@pytest.mark.parametrize(
    ("num_items", "of_all", "num_users", "epochs", "is_told"),
    [
        (17, 300, 60, 2, True),
        (60, 300, 60, 2, False),
        (17, 300, 40, 2, False),
        (17, 300, 60, 0, False),
        (17, 40, 60, 2, False),  # there are no more items to give
    ],
)
def test_a_trained_model_that_has_one_list_for_all_is_told(
    write_run: WriteRun, num_items: int, of_all: int, num_users: int, epochs: int, is_told: bool
) -> None:
    metrics = {"NDCG@10": 1.0, "Coverage@10": num_items / of_all}
    training = {"epochs": epochs, "best_epoch": epochs or None, "seconds": 1.0, "num_parameters": 1}
    data = {"name": "tiny", "fingerprint": "0" * 64, "num_users": 60, "num_items": of_all, "num_interactions": 600}
    runs = [
        write_run("sasrec", [1] * num_users, data=data),
        write_run("gsrec", [1] * num_users, metrics=metrics, training=training, data=data),
    ]
    told = "gsrec gives nearly everybody the same list: 17 items in all lists of ten"
    assert any(note.startswith(told) for note in compare_runs(runs).notes) == is_told


def test_the_seed_of_candidates_matters_only_where_some_are_drawn(write_run: WriteRun) -> None:
    full = {"part": "test", "candidates": "full", "filter_seen": True, "ties": "against the model"}
    drawn = full | {"candidates": "uniform:100"}
    first = [write_run("sasrec", [1, 2], protocol=full), write_run("gsrec", [1, 2], protocol=full | {"seed": 7})]
    assert len(compare_runs(first).models) == 2
    second = [write_run("sasrec", [1, 2], protocol=drawn), write_run("gsrec", [1, 2], protocol=drawn | {"seed": 7})]
    with pytest.raises(DataError, match="gsrec with seed 1 has protocol seed 7 and not None"):
        compare_runs(second)
