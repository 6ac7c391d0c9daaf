from pathlib import Path

import pytest

from gsrec.reporting.study import write_study_plot
from gsrec.reporting.trials import Trial

SETTINGS = {"model.dropout": 0.3, "training.batch_size": 64, "training.learning_rate": 1e-3}
TRIALS = [
    Trial(1, "complete", 0.2, SETTINGS),
    Trial(0, "complete", 0.1, SETTINGS | {"training.learning_rate": 2e-3}),
    Trial(2, "pruned", 0.05, SETTINGS | {"training.batch_size": 256}),
]


@pytest.mark.parametrize("trials", [TRIALS, TRIALS[:1]])
def test_a_study_is_drawn(trials: list[Trial], tmp_path: Path) -> None:
    path = write_study_plot(trials, tmp_path)
    assert path == tmp_path / "study.png"
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_study_without_trials_is_nothing_to_draw(tmp_path: Path) -> None:
    assert write_study_plot([], tmp_path) is None
