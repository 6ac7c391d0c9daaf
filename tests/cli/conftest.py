"""The command line run within the test's own process and folder, and a small log with a model trained on it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gsrec.cli import main
from gsrec.experiment.configure import run_config
from gsrec.experiment.run import train

SIZES = ("epochs=1", "embedding_size=8", "recurrent_size=8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty folder that commands run in, far from logs and caches of this machine."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("GSREC_DATA", raising=False)
    monkeypatch.setenv("GSREC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "here"


@pytest.fixture
def gsrec(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run the command line; gives its exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gsrec", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, said.out, said.err

    return run


@pytest.fixture(scope="session")
def small_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 30 users with 6 of 12 items each, all ids strings."""
    random = np.random.default_rng(0)
    lines = [f"u{user},i{random.integers(12)},{100 * user + time}" for user in range(30) for time in range(6)]
    path = tmp_path_factory.mktemp("logs") / "small.csv"
    path.write_text("\n".join(["user_id,item_id,timestamp", *lines, ""]), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained(small_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on the small log; for reading only."""
    out = tmp_path_factory.mktemp("runs") / "trained"
    train(str(small_log), run_config("gru4rec", settings=SIZES), out)
    return out


@pytest.fixture
def run_folder(trained: Path, folder: Path) -> Path:
    """A copy of that folder for the test to spoil, as `run` in the folder that commands run in."""
    return Path(shutil.copytree(trained, folder / "run")).relative_to(folder)
