import errno
import json
import os
from pathlib import Path

import pytest

from gsrec.errors import DataError
from gsrec.reporting.results import RunResult, append_result, group_by_model, read_results

from .conftest import MakeRecord, WriteRun


def test_results_are_read_in_the_order_they_were_written(tmp_path: Path, write_run: WriteRun) -> None:
    written = [write_run("sasrec", [1, 3]), write_run("gsrec", [2, 11]), write_run("sasrec", [1, 1], 2)]
    assert read_results(tmp_path / "results.jsonl") == written
    assert read_results(tmp_path) == written
    assert [result.name for result in written] == ["sasrec with seed 1", "gsrec with seed 1", "sasrec with seed 2"]


def test_the_line_is_the_record(tmp_path: Path, make_record: MakeRecord) -> None:
    record = make_record("sasrec", [1, 3])
    append_result(tmp_path / "new" / "results.jsonl", record)
    text = (tmp_path / "new" / "results.jsonl").read_text()
    assert text.endswith("\n")
    assert json.loads(text) == record


def test_keys_that_are_not_known_are_kept(tmp_path: Path, make_record: MakeRecord) -> None:
    append_result(tmp_path / "results.jsonl", make_record("sasrec", [1], machine="quiet", run=None))
    (result,) = read_results(tmp_path)
    again = append_result(tmp_path / "again.jsonl", result)
    assert again.model_dump()["machine"] == "quiet"
    assert (tmp_path / "again.jsonl").read_text() == (tmp_path / "results.jsonl").read_text()


def test_ranks_are_found_beside_the_results(tmp_path: Path, write_run: WriteRun) -> None:
    result = write_run("gsrec:thesis", [4, 2])
    assert result.ranks_path == tmp_path / "runs" / "gsrec-thesis-seed1" / "ranks.safetensors"
    assert result.has_ranks
    assert result.read_ranks().ranks.tolist() == [4, 2]


def test_a_result_without_a_run_folder_has_no_ranks(make_record: MakeRecord) -> None:
    result = RunResult.model_validate(make_record("sasrec", [1], run=None))
    assert result.ranks_path is None
    assert not result.has_ranks
    with pytest.raises(DataError, match="sasrec with seed 1 names no run folder: its per-user ranks were not kept"):
        result.read_ranks()


def test_a_result_that_was_not_read_from_a_file_looks_for_ranks_from_here(make_record: MakeRecord) -> None:
    result = RunResult.model_validate(make_record("sasrec", [1]))
    assert result.ranks_path == Path("runs/sasrec-seed1/ranks.safetensors")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone.jsonl cannot be read: No such file.*Name a results file or its folder"):
        read_results(tmp_path / "gone.jsonl")


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").touch()
    with pytest.raises(DataError, match=r"holds no results\.jsonl\. Name a folder that `gsrec compare` wrote"):
        read_results(tmp_path)


def test_an_empty_file_holds_no_results(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text("\n")
    with pytest.raises(DataError, match=r"results\.jsonl holds no results: it has no line"):
        read_results(tmp_path)


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"results\.jsonl is not a results file: .*Name the \.jsonl file"):
        read_results(tmp_path)


def test_a_last_line_that_is_cut_off_is_named(tmp_path: Path, write_run: WriteRun) -> None:
    write_run("sasrec", [1])
    write_run("gsrec", [1])
    path = tmp_path / "results.jsonl"
    path.write_text(path.read_text()[:-40])
    message = r"results\.jsonl, line 2, column \d+: expected a whole JSON object.*The run that wrote this last line"
    with pytest.raises(DataError, match=message):
        read_results(path)
    before = path.read_text()
    with pytest.raises(DataError, match="line 2"):
        write_run("gsrec", [1], 2)
    assert path.read_text() == before


def test_a_line_that_is_not_json_is_named_and_not_called_cut_off(tmp_path: Path, write_run: WriteRun) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("{oops\n")
    write_run("sasrec", [1])
    with pytest.raises(DataError, match=r"line 1, column 2: expected a whole JSON object, found '{oops'\.\.\. Delete"):
        read_results(path)


def test_a_whole_last_line_without_its_break_is_kept(tmp_path: Path, write_run: WriteRun) -> None:
    write_run("sasrec", [1])
    path = tmp_path / "results.jsonl"
    path.write_text(path.read_text().rstrip("\n"))
    write_run("gsrec", [1])
    assert [result.label for result in read_results(path)] == ["sasrec", "gsrec"]


def test_a_missing_key_and_a_wrong_value_are_named(tmp_path: Path, make_record: MakeRecord) -> None:
    record = make_record("sasrec", [1], metrics={"NDCG@10": float("nan")})
    del record["seed"]
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(record) + "\n")
    message = r"results\.jsonl, line 1 is not a whole result: seed: field required; metrics\.NDCG@10: .*finite"
    with pytest.raises(DataError, match=message):
        read_results(path)


def test_a_line_that_is_not_an_object_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text("[1]\n")
    with pytest.raises(DataError, match="line 1 is not a whole result: the whole: input should be"):
        read_results(tmp_path)


def test_a_record_that_is_not_whole_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"the result for .*results\.jsonl is not a whole result: model: field required"
    ):
        append_result(tmp_path / "results.jsonl", {"label": "sasrec"})
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_no_more_is_told(tmp_path: Path, make_record: MakeRecord) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot write .*results\.jsonl: .*Free some space or give another folder"):
        append_result(tmp_path / "file" / "results.jsonl", make_record("sasrec", [1]))


def test_runs_are_grouped_by_label_and_ordered_by_seed(write_run: WriteRun) -> None:
    results = [write_run("sasrec", [1], 2), write_run("gsrec", [1]), write_run("sasrec", [1], 1)]
    groups = group_by_model(results)
    assert {label: [run.seed for run in runs] for label, runs in groups.items()} == {"sasrec": [1, 2], "gsrec": [1]}
    assert list(groups) == ["sasrec", "gsrec"]


def test_two_results_of_one_run_are_an_error(write_run: WriteRun) -> None:
    results = [write_run("sasrec", [1]), write_run("sasrec", [2])]
    with pytest.raises(DataError, match=r"two results of sasrec with seed 1, in .*results\.jsonl.*another label"):
        group_by_model(results)


def test_a_setting_that_came_between_two_seeds_keeps_them_together(tmp_path: Path, write_run: WriteRun) -> None:
    write_run("sasrec", [1], config={"model": {"name": "sasrec"}, "seed": 1})
    write_run("sasrec", [1], 2, config={"model": {"name": "sasrec", "temperature": 0.0}, "seed": 2})
    with pytest.raises(DataError, match="share a label but not their model"):
        group_by_model(read_results(tmp_path))
    filled = read_results(tmp_path, as_now=lambda config: {**config, "model": {"name": "sasrec", "temperature": 0.0}})
    assert [run.seed for run in group_by_model(filled)["sasrec"]] == [1, 2]


def test_runs_of_one_label_differ_in_nothing_but_their_seed(write_run: WriteRun) -> None:
    narrow, wider = ({"model": {"name": "sasrec", "embedding_size": size}} for size in (4, 8))
    results = [write_run("sasrec", [1], config=narrow), write_run("sasrec", [1], 2, config=wider)]
    with pytest.raises(DataError, match="sasrec with seed 1 and sasrec with seed 2 share a label but not their model"):
        group_by_model(results)


def test_a_disk_that_fills_up_leaves_no_half_line(
    tmp_path: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.jsonl"
    append_result(path, make_record("sasrec", [1]))
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device"):
        append_result(path, make_record("gsrec", [1]))
    assert path.read_bytes() == before


def test_a_result_of_an_earlier_version_calls_the_part_the_split(make_record: MakeRecord, tmp_path: Path) -> None:
    record = make_record("sasrec", [1, 2])
    earlier = {**record, "protocol": {"split": "validation", "candidates": "full", "filter_seen": True, "ties": "none"}}
    written = append_result(tmp_path / "results.jsonl", earlier)
    assert written.protocol.part == "validation"
    assert json.loads((tmp_path / "results.jsonl").read_text(encoding="utf-8"))["protocol"]["part"] == "validation"
