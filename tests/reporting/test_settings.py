"""Which settings a table's models do not share is told, setting by setting."""

from __future__ import annotations

from gsrec.reporting.results import group_by_model
from gsrec.reporting.settings import set_differently

from .conftest import WriteRun


def configured(start: str, **model: object) -> dict[str, object]:
    return {"model": {"name": "some", **model}, "training": {"item_start": start, "epochs": 100}, "seed": 1}


def test_what_models_do_not_share_is_told_with_those_that_differ(write_run: WriteRun) -> None:
    results = [
        write_run("gsrec", [1], config=configured("neighbours", window=32, temperature=0.07)),
        write_run("sasrec", [1], config=configured("noise", temperature=0.0)),
        write_run("gru4rec", [1], config=configured("noise", temperature=0.0)),
    ]
    told = "`temperature` 0.07 (gsrec), else 0; `item_start` neighbours (gsrec), else noise"
    assert set_differently(group_by_model(results)) == f"Not set alike for all that have it: {told}."


def test_models_set_alike_and_those_that_only_count_need_no_word(write_run: WriteRun) -> None:
    results = [
        write_run("gsrec", [1], config=configured("noise")),
        write_run("sasrec", [1], config=configured("noise")),
        write_run("poprec", [1], config=configured("neighbours"), history=[]),
    ]
    assert set_differently(group_by_model(results)) == ""
