"""A comparison: what is recorded is never run again, whatever else is asked for, and every line is whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from gsrec.errors import ConfigError, DataError, StoppedError
from gsrec.evaluation.evaluator import Protocol
from gsrec.experiment.compare import Narrator, compare_models
from gsrec.experiment.config import RunConfig
from gsrec.experiment.configure import run_configs
from gsrec.experiment.folder import LogReference
from gsrec.experiment.prepare import prepare
from gsrec.experiment.run import open_run, train
from gsrec.reporting.ranks import read_ranks
from gsrec.reporting.results import RunResult, append_result, read_results
from gsrec.training.course import Epoch, Listener

MODELS = ("poprec", "gru4rec")


class Diary:
    """Writes down what a comparison tells."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.started: list[str] = []
        self.skipped: list[str] = []
        self.notes: list[tuple[str, ...]] = []
        self.epochs: list[Epoch] = []
        self.told: list[str] = []

    @property
    def narrator(self) -> Narrator:
        """Who is to be told."""
        return Narrator(
            on_start=lambda config, number, total: self.started.append(f"{number}/{total} {name(config)}"),
            on_skip=lambda config: self.skipped.append(name(config)),
            on_notes=self.notes.append,
            listens=self._listens,
        )

    @contextmanager
    def _listens(self, config: RunConfig) -> Iterator[Listener]:
        yield Listener(on_epoch=self.epochs.append, on_note=self.told.append)


def name(config: RunConfig) -> str:
    return f"{config.label} {config.seed}"


def lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def reference(spare: str) -> LogReference:
    return LogReference.of(spare)


@pytest.fixture
def settings(sizes: list[str]) -> list[str]:
    return [size for size in sizes if not size.startswith("num_heads")]


def configs(settings: Sequence[str], *seeds: int, models: Sequence[str] = MODELS) -> list[RunConfig]:
    return run_configs(models, seeds, settings=settings)


def test_every_run_is_recorded_and_kept(
    reference: LogReference, settings: list[str], tmp_path: Path, diary: Diary
) -> None:
    results = compare_models(reference, configs(settings, 1), tmp_path / "out", narrator=diary.narrator)
    assert diary.started == ["1/2 poprec 1", "2/2 gru4rec 1"]
    assert len(diary.epochs) == 2
    assert [result.label for result in results] == ["poprec", "gru4rec"]
    assert read_results(tmp_path / "out") == results
    for result in results:
        assert result.run is not None
        opened = open_run(tmp_path / "out" / result.run)
        evaluation = opened.evaluate(Protocol("test"))
        assert result.metrics == evaluation.metrics
        assert result.validation == opened.evaluate(Protocol("validation")).metrics
        ranks = read_ranks(tmp_path / "out" / result.run / "ranks.safetensors")
        assert ranks.ranks.tolist() == evaluation.ranks.tolist()
        assert ranks.users.tolist() == evaluation.users.tolist()


def test_a_line_tells_all_of_a_run(reference: LogReference, settings: list[str], tmp_path: Path) -> None:
    compare_models(reference, configs(settings, 3, models=["gru4rec"]), tmp_path)
    [line] = lines(tmp_path)
    assert {
        *("model", "preset", "label", "data", "protocol", "split", "seed", "config", "num_users_evaluated", "metrics"),
        *("intervals", "validation", "audit", "training", "history", "version", "commit", "threads", "run"),
    } <= set(line)
    assert (line["model"], line["preset"], line["seed"], line["split"]) == ("gru4rec", "default", 3, "leave-one-out")
    assert line["config"] == configs(settings, 3, models=["gru4rec"])[0].model_dump(mode="json")
    protocol = {"part": "test", "candidates": "full", "filter_seen": True, "seed": 0, "ties": "against the model"}
    assert line["protocol"] == protocol
    assert isinstance(line["history"], list)
    assert [epoch["epoch"] for epoch in line["history"]] == [1, 2]
    assert isinstance(line["training"], dict)
    assert set(line["training"]) == {"epochs", "best_epoch", "seconds", "num_parameters"}


def test_what_is_recorded_is_not_run_again(
    reference: LogReference, settings: list[str], tmp_path: Path, diary: Diary
) -> None:
    first = compare_models(reference, configs(settings, 1), tmp_path)
    before = (tmp_path / "results.jsonl").read_bytes()
    again = compare_models(reference, configs(settings, 1), tmp_path, narrator=diary.narrator)
    assert again == first
    assert (diary.started, diary.skipped) == ([], ["poprec 1", "gru4rec 1"])
    assert (tmp_path / "results.jsonl").read_bytes() == before


@pytest.mark.parametrize(("said", "counts"), [("training.item_start", True), ("model.gone", False)])
def test_what_a_version_without_a_setting_recorded_stands_at_its_default(
    said: str, counts: bool, reference: LogReference, settings: list[str], tmp_path: Path, diary: Diary
) -> None:
    of_gru4rec = configs(settings, 1, models=["gru4rec"])
    compare_models(reference, of_gru4rec, tmp_path)
    [line] = lines(tmp_path)
    section, key = said.split(".")
    if line["config"][section].pop(key, None) is None:  # type: ignore[index]
        line["config"][section][key] = 1  # type: ignore[index]
    (tmp_path / "results.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    compare_models(reference, of_gru4rec, tmp_path, narrator=diary.narrator)
    assert bool(diary.skipped) == counts


def test_seeds_and_models_are_added(reference: LogReference, settings: list[str], tmp_path: Path, diary: Diary) -> None:
    compare_models(reference, configs(settings, 1)[:1], tmp_path)
    results = compare_models(reference, configs(settings, 1, 2), tmp_path, narrator=diary.narrator)
    assert diary.skipped == ["poprec 1"]
    assert diary.started == ["2/4 gru4rec 1", "3/4 poprec 2", "4/4 gru4rec 2"]
    assert [(result.label, result.seed) for result in results] == [
        ("poprec", 1),
        ("gru4rec", 1),
        ("poprec", 2),
        ("gru4rec", 2),
    ]
    assert len(lines(tmp_path)) == 4


def test_what_another_comparison_trained_is_only_judged_anew(
    reference: LogReference, settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = configs(settings, 1, models=["gru4rec"])
    [full] = compare_models(reference, asked, tmp_path / "full")
    monkeypatch.setattr("gsrec.experiment.compare.train", lambda *arguments, **options: pytest.fail("trained again"))
    [result] = compare_models(reference, asked, tmp_path / "out", candidates="uniform:20", trained=tmp_path / "full")
    assert result.read_ranks().ranks.max() <= 21
    assert result.history == full.history
    [folder] = (tmp_path / "full/runs").iterdir()
    folder.rename(folder.with_name(f"{folder.name[:-8]}00000000"))  # as a version with other settings called it
    [again] = compare_models(reference, asked, tmp_path / "new", trained=tmp_path / "full")
    assert again.metrics == full.metrics


def test_what_another_comparison_has_not_trained_is_told_before_it_is_trained(
    reference: LogReference, tmp_path: Path, diary: Diary
) -> None:
    asked, others = configs([], 1, models=["poprec"]), configs(["days=30"], 1, models=["poprec"])
    with pytest.raises(ConfigError, match="nowhere holds no comparison whose models could be judged"):
        compare_models(reference, asked, tmp_path / "out", trained=tmp_path / "nowhere")
    compare_models(reference, others, tmp_path / "others")
    compare_models(reference, asked, tmp_path / "out", trained=tmp_path / "others", narrator=diary.narrator)
    assert "has no model with these very settings and seed: it is trained here" in diary.told[0]


def test_a_training_that_was_stopped_is_gone_on_with_under_whatever_name_it_was_begun(
    reference: LogReference, settings: list[str], tmp_path: Path
) -> None:
    asked = configs(settings, 1, models=["gru4rec"])
    [expected] = compare_models(reference, asked, tmp_path / "once")
    steps = count(1)
    with pytest.raises(StoppedError):
        compare_models(reference, asked, tmp_path / "out", stop=lambda: next(steps) == 2)
    [folder] = (tmp_path / "out/runs").iterdir()
    begun = folder.rename(folder.with_name(f"{folder.name[:-8]}00000000"))  # as an earlier version called it
    (begun.with_name(f"{folder.name[:-8]}11111111") / "checkpoints").mkdir(parents=True)
    notes: list[str] = []
    narrator = Narrator(listens=lambda config: nullcontext(Listener(on_note=notes.append)))
    [result] = compare_models(reference, asked, tmp_path / "out", narrator=narrator)
    assert [note[:16] for note in notes] == ["resuming epoch 2"]
    assert result.metrics == expected.metrics
    assert result.run == f"runs/{begun.name}"


def test_other_settings_are_another_run(reference: LogReference, tmp_path: Path, diary: Diary) -> None:
    compare_models(reference, configs([], 1, models=["poprec"]), tmp_path)
    compare_models(reference, configs(["days=30"], 1, models=["poprec"]), tmp_path, narrator=diary.narrator)
    assert diary.started == ["1/1 poprec 1"]
    assert len(lines(tmp_path)) == len(list((tmp_path / "runs").iterdir())) == 2


@pytest.mark.parametrize(
    ("setting", "candidates", "told"),
    [
        ("seed=1", "uniform:5", r"by another protocol \(leave-one-out, full\)"),
        ("split=temporal", "full", r"by another protocol \(leave-one-out, full\)"),
        ("filter_seen=false", "full", r"by another protocol \(leave-one-out, full\)"),
        ("min_user_interactions=9", "full", "of other data"),
    ],
)
def test_another_question_needs_another_folder(
    reference: LogReference, tmp_path: Path, setting: str, candidates: str, told: str
) -> None:
    compare_models(reference, configs([], 1, models=["poprec"]), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    asked = configs([] if setting == "seed=1" else [setting], 1, models=["poprec"])
    with pytest.raises(ConfigError, match=f"{tmp_path} holds a comparison {told}, .* --trained"):
        compare_models(reference, asked, tmp_path, candidates=candidates)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_candidates_that_only_python_can_give_are_refused_before_anything_is_done(
    reference: LogReference, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="given:5: a comparison draws its candidates"):
        compare_models(reference, configs([], 1), tmp_path / "out", candidates="given:5")
    assert not (tmp_path / "out").exists()


def test_a_log_that_is_cut_in_another_way_needs_another_folder(reference: LogReference, tmp_path: Path) -> None:
    asked = configs([], 1, models=["poprec"])
    [first] = compare_models(reference, asked, tmp_path)
    split, notes = prepare(reference, asked[0])
    shorter = replace(split, train_ends=split.train_ends - (split.train_ends - split.sequences.offsets[:-1] > 2))
    with pytest.raises(ConfigError, match="holds a comparison of other cuts, which cannot stand in one table"):
        compare_models(reference, asked, tmp_path, prepared=(shorter, notes))
    [other] = compare_models(reference, asked, tmp_path / "other", prepared=(shorter, notes), trained=tmp_path)
    assert other.metrics != first.metrics
    assert (first.data.cuts, other.data.cuts) == (split.cuts, shorter.cuts)


def test_an_interrupted_run_is_run_anew(
    reference: LogReference, settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(path: Path, result: RunResult | dict[str, object]) -> RunResult:
        raise KeyboardInterrupt

    asked = configs(settings, 1, models=["gru4rec"])
    with monkeypatch.context() as patch:
        patch.setattr("gsrec.experiment.compare.append_result", interrupt)
        with pytest.raises(KeyboardInterrupt):
            compare_models(reference, asked, tmp_path)
    [left] = (tmp_path / "runs").iterdir()
    (left / "bundle" / "manifest.json").write_text("spoilt", encoding="utf-8")
    diary = Diary()
    [result] = compare_models(reference, asked, tmp_path, narrator=diary.narrator)
    aside = left.with_name(f"unreadable-1-{left.name}")
    assert (aside / "bundle" / "manifest.json").read_text(encoding="utf-8") == "spoilt"
    assert diary.told[0].startswith(f"{left} holds a run that this version cannot read: it is {aside} now")
    assert (tmp_path / str(result.run)) == left
    assert open_run(left).evaluate(Protocol("test")).metrics == result.metrics


def test_a_run_whose_line_was_deleted_is_run_again_where_only_its_ranks_are_left(
    reference: LogReference, settings: list[str], tmp_path: Path
) -> None:
    asked = configs(settings, 1, models=["gru4rec"])
    [first] = compare_models(reference, asked, tmp_path)
    for path in (tmp_path / str(first.run)).iterdir():
        if path.name != "ranks.safetensors":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (tmp_path / "results.jsonl").unlink()
    [again] = compare_models(reference, asked, tmp_path)
    assert (again.run, again.metrics) == (first.run, first.metrics)


def test_an_empty_results_file_holds_no_run(reference: LogReference, tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").touch()
    assert len(compare_models(reference, configs([], 1, models=["poprec"]), tmp_path)) == 1


def test_a_line_cut_off_is_told(reference: LogReference, tmp_path: Path) -> None:
    compare_models(reference, configs([], 1, models=["poprec"]), tmp_path)
    content = (tmp_path / "results.jsonl").read_bytes()
    (tmp_path / "results.jsonl").write_bytes(content + content[:100])
    with pytest.raises(DataError, match=r"results.jsonl, line 2, .* Delete the line and run that model again"):
        compare_models(reference, configs([], 1, models=["poprec"]), tmp_path)


def test_a_disk_that_is_full_leaves_the_results_as_they_were(
    reference: LogReference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare_models(reference, configs([], 1, models=["poprec"]), tmp_path)
    before = (tmp_path / "results.jsonl").read_bytes()

    def refuse(path: Path, text: str) -> None:
        raise DataError(f"cannot write {path}: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("gsrec.experiment.run.write_text", refuse)
        with pytest.raises(DataError, match="No space left"):
            compare_models(reference, configs([], 1, 2, models=["poprec"]), tmp_path)
    assert (tmp_path / "results.jsonl").read_bytes() == before
    assert len(compare_models(reference, configs([], 1, 2, models=["poprec"]), tmp_path)) == 2


def test_notes_are_told_once_for_every_way_to_cut_the_log(
    reference: LogReference, tmp_path: Path, diary: Diary
) -> None:
    asked = [*configs([], 1, 2, models=["poprec"]), *configs(["data.split=last-n"], 1, models=["poprec:last-month"])]
    compare_models(reference, asked, tmp_path, narrator=diary.narrator)
    assert len(diary.notes) == 2
    assert "columns guessed: user 'user_id', item 'item_id', time 'time'" in diary.notes[0]


def test_what_is_wrong_is_known_before_the_first_training(
    reference: LogReference, spare: str, tmp_path: Path, diary: Diary
) -> None:
    asked = configs([], 1, models=["poprec"])
    with pytest.raises(ConfigError, match="candidates must be full, popularity:N or uniform:N"):
        compare_models(reference, asked, tmp_path / "out", candidates="some", narrator=diary.narrator)
    with pytest.raises(ConfigError, match=r"small.csv cannot be a folder, because .*small.csv is a file"):
        compare_models(reference, asked, Path(spare), narrator=diary.narrator)
    twice = [*asked, *configs(["days=30"], 1, models=["poprec"])]
    with pytest.raises(
        ConfigError, match=r"poprec is given with two kinds of settings: model.days was 'all' and is now 30"
    ):
        compare_models(reference, twice, tmp_path / "out", narrator=diary.narrator)
    train(reference, asked[0], tmp_path / "run")
    with pytest.raises(ConfigError, match="is the folder of a run"):
        compare_models(reference, asked, tmp_path / "run", narrator=diary.narrator)
    assert (diary.started, diary.notes) == ([], [])
    assert not (tmp_path / "out").exists()


def test_a_result_can_come_from_elsewhere(reference: LogReference, tmp_path: Path, diary: Diary) -> None:
    [result] = compare_models(reference, configs([], 1, models=["poprec"]), tmp_path / "one")
    append_result(tmp_path / "two" / "results.jsonl", result)
    compare_models(reference, configs([], 1, models=["poprec"]), tmp_path / "two", narrator=diary.narrator)
    assert diary.skipped == ["poprec 1"]
