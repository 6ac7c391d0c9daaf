"""What is shown while something is going on, and where."""

from __future__ import annotations

import pytest

from gsrec.cli.console import print_json, print_notes, print_table, progress_bar
from gsrec.cli.metrics import print_metrics
from gsrec.cli.narrators import TrainingDisplay, narrator
from gsrec.experiment.configure import run_config
from gsrec.reporting.results import RunResult
from gsrec.training.course import Epoch, TrainingStep


def test_training_shows_loss_speed_and_how_much_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    display = TrainingDisplay("gsrec", epochs=4, quiet=True)
    with display as listener:
        listener.on_step(TrainingStep(epoch=2, step=5, num_steps=10, loss=1.25, num_targets=3000, seconds=1.5))
    [task] = display.progress.tasks
    assert (task.completed, task.total) == (15, 40)
    assert task.fields["state"] == "epoch 2/4, loss 1.2500, 2,000 targets/s"
    assert capsys.readouterr() == ("", "")


def test_training_tells_every_epoch_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    label = "a-model-of-a-rather-long-name:with-a-preset"
    with TrainingDisplay(label, epochs=4, quiet=False) as listener:
        listener.on_epoch(Epoch(1, 2.5, 1234.0, None))
        listener.on_epoch(Epoch(2, 2.25, 2345.6, {"NDCG@10": 0.125}))
    assert capsys.readouterr().err.splitlines() == [
        f"{label}: epoch 1, loss 2.5000, 1,234 s of training",
        f"{label}: epoch 2, loss 2.2500, validation NDCG@10 0.1250, 2,346 s of training",
    ]


def test_bars_show_on_a_terminal_only_and_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress_bar("ranking", quiet=False) as progress:
        progress(1, 2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")  # to rich, a terminal
    with progress_bar("ranking", quiet=False) as progress:
        progress(1, None)
        progress(1, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert "ranking" in err
    with TrainingDisplay("gsrec", epochs=1, quiet=False):
        pass
    assert "gsrec" in capsys.readouterr().err
    with progress_bar("ranking", quiet=True) as progress:
        progress(1, 2)
    assert capsys.readouterr() == ("", "")


def test_ids_are_shown_as_they_are(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    odd = ("x[/]", ":bug:", "a\\[b]", "[red]")
    print_table("next", [(one, "1") for one in odd])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == [*odd]
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar("x[/]", quiet=False) as progress, TrainingDisplay("y[/]", epochs=1, quiet=False) as listener:
        progress(1, 2)
        listener.on_epoch(Epoch(1, 2.5, 1234.0, None))
    assert "y[/]: epoch 1" in capsys.readouterr().err


def test_notes_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_notes(["one", "two"], quiet=False)
    assert capsys.readouterr() == ("", "note: one\nnote: two\n")
    print_notes(["one"], quiet=True)
    assert capsys.readouterr() == ("", "")


def test_json_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "é\n", "values": [1, 0.5, None]})
    assert capsys.readouterr().out == '{"name": "é\\n", "values": [1, 0.5, null]}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"loss": float("nan")})


def test_metrics_without_intervals_and_shares_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    record = {
        "metrics": dict.fromkeys(("HR@5", "HR@10", "NDCG@5", "NDCG@10", "MRR"), 0.25),
        "intervals": {"MRR": [0.2, 0.3]},
        "protocol": {"part": "test", "candidates": "full", "filter_seen": True, "ties": "against the model"},
        "data": {"name": "log", "num_users": 1234, "num_items": 5, "num_interactions": 67890, "fingerprint": "f"},
        "training": {"epochs": 1, "seconds": 1.0, "num_parameters": 1},
        **{"model": "gsrec", "label": "gsrec", "seed": 1},
        "split": "leave-one-out",
        "num_users_evaluated": 1234,
        "audit": {"leakage": None, "cold": 0.5},
    }
    print_metrics("gsrec on log", RunResult.model_validate(record))
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()[2:7]] == [
        ["HR@5", "0.2500"],
        ["HR@10", "0.2500"],
        ["NDCG@5", "0.2500"],
        ["NDCG@10", "0.2500"],
        ["MRR", "0.2500", "0.2000", "to", "0.3000"],
    ]
    assert "data: log, 1,234 users, 5 items, 67,890 interactions\n" in out
    assert "Audit, of the targets: an unknown share older than some training event; 50.0% of an item" in out
    assert "fewer than" not in out
    print_metrics("gsrec on log", RunResult.model_validate(record | {"num_users_evaluated": 99}))
    assert "fewer than 100 users judge it: the intervals are rough" in capsys.readouterr().out


@pytest.mark.parametrize("quiet", [False, True])
def test_a_comparison_is_told_on_stderr(capsys: pytest.CaptureFixture[str], quiet: bool) -> None:
    told, config = narrator(quiet=quiet), run_config("poprec", seed=3)
    told.on_notes(("columns guessed",))
    told.on_start(config, 1, 2)
    told.on_skip(config)
    lines = ["note: columns guessed", "run 1 of 2: poprec, seed 3", "poprec, seed 3: recorded already"]
    assert capsys.readouterr() == ("", "" if quiet else "\n".join([*lines, ""]))
