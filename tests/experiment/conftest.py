"""A small log whose next items can mostly be foreseen, as a file, and settings that train on it in no time."""

from __future__ import annotations

from pathlib import Path

import pytest

from gsrec.data.synthetic import synthetic_log


@pytest.fixture(scope="session")
def small_log(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a log of 40 users and 20 items."""
    frame = synthetic_log(num_users=40, num_items=20, mean_length=8, seed=3).frame
    path = tmp_path_factory.mktemp("logs") / "small.csv"
    frame.write_csv(path)
    return str(path)


@pytest.fixture(scope="session")
def sizes() -> list[str]:
    """Settings that make every model small and its training short."""
    return ["embedding_size=8", "recurrent_size=8", "num_heads=1", "epochs=2", "patience=0"]


@pytest.fixture
def spare(small_log: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A copy of the log in a folder of its own, for the test to change."""
    path = tmp_path_factory.mktemp("logs") / "small.csv"
    path.write_bytes(Path(small_log).read_bytes())
    return str(path)
