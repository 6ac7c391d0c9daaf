from pathlib import Path

import pytest

from gsrec.reporting.study import write_study_plot

SETTINGS = {"model.dropout": 0.3, "training.batch_size": 64, "training.learning_rate": 1e-3}
TRIALS: list[dict[str, object]] = [
    {"number": 1, "state": "complete", "validation": 0.2, "settings": SETTINGS},
    {"number": 0, "state": "complete", "validation": 0.1, "settings": SETTINGS | {"training.learning_rate": 2e-3}},
    {"number": 2, "state": "pruned", "validation": 0.05, "settings": SETTINGS | {"training.batch_size": 256}},
]


@pytest.mark.parametrize("trials", [TRIALS, TRIALS[:1]])
def test_a_study_is_drawn(trials: list[dict[str, object]], tmp_path: Path) -> None:
    path = write_study_plot(trials, tmp_path)
    assert path == tmp_path / "study.png"
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_study_without_trials_is_nothing_to_draw(tmp_path: Path) -> None:
    assert write_study_plot([], tmp_path) is None
