from pathlib import Path

import pytest

from gsrec.errors import DataError, MissingExtraError
from gsrec.reporting.plots import plots_available, write_plots

from .conftest import WriteRun


def _no_matplotlib(name: str) -> None:
    assert name == "matplotlib"


def test_all_plots_are_written(tmp_path: Path, write_run: WriteRun) -> None:
    runs = [
        write_run("sasrec", [1, 3, 5]),
        write_run("sasrec", [1, 3, 4], 2),
        write_run("poprec", [9, 9, 9], history=[]),
    ]
    paths = write_plots(runs, tmp_path / "report")
    assert [path.name for path in paths] == [
        "learning_curves.png",
        "metric_by_history_length.png",
        "metric_by_item_popularity.png",
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert len(list((tmp_path / "report").iterdir())) == 3


def test_what_cannot_be_drawn_is_left_out_and_an_older_one_removed(tmp_path: Path, write_run: WriteRun) -> None:
    (tmp_path / "learning_curves.png").write_bytes(b"of an earlier report")
    assert write_plots([write_run("poprec", [9, 9], history=[], run=None)], tmp_path) == ()
    assert not (tmp_path / "learning_curves.png").exists()


def test_runs_that_cannot_be_compared_are_not_drawn(tmp_path: Path, write_run: WriteRun) -> None:
    runs = [write_run("sasrec", [1, 3]), write_run("gsrec", [1, 3], split="last-2")]
    with pytest.raises(DataError, match="cannot stand in one table"):
        write_plots(runs, tmp_path)


def test_models_that_judged_other_users_are_not_drawn(tmp_path: Path, write_run: WriteRun) -> None:
    runs = [write_run("sasrec", [1, 3]), write_run("gsrec", [1, 3, 2], num_users_evaluated=2)]
    with pytest.raises(DataError, match="sasrec and gsrec judged different users"):
        write_plots(runs, tmp_path)


def test_without_the_extra_it_says_how_to_get_it(
    tmp_path: Path, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run("sasrec", [1, 3])
    monkeypatch.setattr("gsrec.extras.find_spec", _no_matplotlib)
    assert not plots_available()
    with pytest.raises(MissingExtraError, match=r"matplotlib is not installed.*pip install 'gsrec\[report\]'"):
        write_plots([run], tmp_path / "report")
    assert not (tmp_path / "report").exists()
