"""Commands name their defaults without waiting for the library's imports; both are the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gsrec.cli.audit import audit
from gsrec.cli.evaluate import evaluate
from gsrec.cli.index import index
from gsrec.cli.refresh import refresh
from gsrec.cli.serve import serve
from gsrec.cli.thesis import thesis
from gsrec.cli.train import train
from gsrec.evaluation.evaluator import Protocol
from gsrec.experiment.config import DataConfig
from gsrec.experiment.further_training import RefreshPlan
from gsrec.experiment.thesis import CANDIDATES
from gsrec.recommend.index import index_of
from gsrec.serving.settings import Settings
from gsrec.training.course import CHECKPOINT_SECONDS


def defaults(command: Callable[..., Any]) -> dict[str, object]:
    """What a command's parameters are where nothing is given, of those that may be left out."""
    parameters = inspect.signature(command).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}


@pytest.mark.parametrize(
    ("command", "owner", "names"),
    [
        (refresh, RefreshPlan(), ["window", "replay", "epochs", "rate", "seed"]),
        (
            serve,
            Settings((Path("shop"),)),
            ["host", "port", "titles", "log", "session_days", "keys", "rate", "durable"],
        ),
        (audit, DataConfig(), ["held_out"]),
        (evaluate, Protocol("test"), ["candidates", "seed"]),
    ],
)
def test_the_defaults_of_a_command_are_the_librarys(
    command: Callable[..., Any], owner: object, names: list[str]
) -> None:
    assert {name: defaults(command)[name] for name in names} == {name: getattr(owner, name) for name in names}


def test_single_defaults_are_the_librarys() -> None:
    assert defaults(train)["checkpoint_every"] == CHECKPOINT_SECONDS
    assert defaults(evaluate)["split"] == "test"
    assert defaults(thesis)["candidates"] == CANDIDATES
    assert defaults(index)["recall"] == defaults(index_of)["recall"]
