import json
import subprocess
import sys
from pathlib import Path

import pytest

from gsrec.errors import DataError, MissingExtraError
from gsrec.reporting.report import write_report, write_thesis_report

from .conftest import WriteRun


def test_tables_json_and_plots_are_written(tmp_path: Path, write_run: WriteRun) -> None:
    runs = [write_run("sasrec", [1, 3, 5]), write_run("poprec", [9, 9, 9])]
    report = write_report(runs, tmp_path / "report")
    names = [path.name for path in report.paths]
    assert names[:2] == ["table.md", "comparison.json"]
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == sorted(names)
    text = report.paths[0].read_text()
    assert text.startswith("### tiny, leave-one-out, full catalogue: 2 models\n")
    assert "![By item popularity](metric_by_item_popularity.png)" in text
    assert json.loads(report.paths[1].read_text()) == json.loads(json.dumps(report.comparison.record()))


def test_plots_can_be_left_out(tmp_path: Path, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run("sasrec", [1, 3, 5])
    monkeypatch.setattr("gsrec.extras.find_spec", lambda name: None)
    report = write_report([run], tmp_path / "report", plots=False)
    assert [path.name for path in report.paths] == ["table.md", "comparison.json"]
    assert "![" not in report.paths[0].read_text()


def test_nothing_is_written_where_plots_are_asked_for_in_vain(
    tmp_path: Path, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run("sasrec", [1, 3, 5])
    monkeypatch.setattr("gsrec.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError):
        write_report([run], tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, write_run: WriteRun) -> None:
    run = write_run("sasrec", [1, 3, 5])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot write .*table\.md"):
        write_report([run], tmp_path / "file" / "report", plots=False)


def test_the_thesis_report_is_written_as_markdown_and_json(tmp_path: Path, write_run: WriteRun) -> None:
    runs = [write_run("sasrec", [1, 3, 5]), write_run("gsrec", [1, 2, 3])]
    report = write_thesis_report(runs, tmp_path / "out", cuts=["width 8"], datasets={"tiny": "Beauty"})
    assert (tmp_path / "out" / "thesis.md").read_text() == f"# The thesis's experiment\n\n{report.markdown()}"
    record = json.loads((tmp_path / "out" / "thesis.json").read_text())
    assert record["thesis"]["Beauty"]["HR@10"]["GSRec"] == 0.2357
    assert record["ours"]["Beauty"]["HR@10"] == {"SASRec": 1.0, "GSRec": 1.0}
    assert record["cuts"] == ["width 8"]
    assert record["comparisons"]["Beauty"]["data"]["name"] == "tiny"
    assert [len(record["answers"][whose]) for whose in ("thesis", "ours")] == [3, 3]


def test_matplotlib_is_not_imported_before_it_draws() -> None:
    code = "import sys, gsrec.reporting.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_runs_may_come_one_by_one(tmp_path: Path, write_run: WriteRun) -> None:
    report = write_report((run for run in [write_run("gsrec", [1, 3, 5])]), tmp_path / "report", plots=False)
    assert [model.label for model in report.comparison.models] == ["gsrec"]
