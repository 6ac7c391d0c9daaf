"""What the Makefile trains: models that exist, and every result that is recorded."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from gsrec.data.sequences import LogSizes
from gsrec.experiment.compare import recorded_results
from gsrec.experiment.config import RunConfig
from gsrec.experiment.configure import run_configs
from gsrec.reporting.results import RunResult

ROOT = Path(__file__).parent.parent
LINES = sorted(path.name for path in (ROOT / "results").iterdir() if re.fullmatch("[A-Z]", path.name))
ABLATIONS = {"A": "ml-1m", "D": "amazon-beauty-5core"}
FOLDERS = [*LINES, *(f"ablations/{log}" for log in ABLATIONS.values())]


@dataclass
class Comparison:
    """One `gsrec compare` of the Makefile: its log and its options."""

    log: str
    options: dict[str, str] = field(default_factory=dict)
    settings: list[str] = field(default_factory=list)

    def configs(self, sizes: LogSizes | None = None, seeds: int | None = None) -> list[RunConfig]:
        """What it trains."""
        file, presets = (ROOT / self.options[name] if name in self.options else None for name in ("config", "presets"))
        return run_configs(
            self.options["models"].split(","),
            range(1, 1 + (seeds or int(self.options.get("seeds", 1)))),
            file=file,
            settings=self.settings,
            presets_file=presets,
            sizes=sizes,
        )


@cache
def comparisons() -> list[Comparison]:
    """All of them."""
    targets = [f"{kind}-{line}" for kind in ("line", "parts") for line in LINES]
    targets += [f"ablations-{line}" for line in ABLATIONS]
    command = ["/usr/bin/env", "make", "-n", *targets]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = told.replace("\\\n", " ")
    looped = re.sub(r"^for model in (.*?); do (.*?)\|\|.*", _unrolled, lines, flags=re.MULTILINE)
    commands = [shlex.split(line)[1:] for line in looped.splitlines() if "gsrec compare" in line]
    return [_read(words[1:]) for words in commands]


def _unrolled(loop: re.Match[str]) -> str:
    return "\n".join(loop[2].replace("$model", model) for model in loop[1].split())


def _read(words: list[str]) -> Comparison:
    found = Comparison(words[0])
    for option, value in zip(words[1::2], words[2::2], strict=True):
        if option == "--set":
            found.settings.append(value)
        else:
            found.options[option.removeprefix("--")] = value
    return found


def asks_for(comparison: Comparison, result: RunResult) -> bool:
    if comparison.options.get("candidates", "full") != result.protocol.candidates:
        return False
    sizes = LogSizes(result.data.num_users, result.data.num_items, result.data.num_interactions)
    # a seed more than the Makefile's is another of the same
    return any(config.model_dump(mode="json") == result.config for config in comparison.configs(sizes, seeds=3))


def test_every_comparison_has_models_that_exist() -> None:
    assert len(comparisons()) > 2 * len(LINES)
    for comparison in comparisons():
        assert comparison.configs()


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_result_is_one_that_the_makefile_asks_for(folder: str) -> None:
    asked = [one for one in comparisons() if one.options["out"] == f"results/{folder}"]
    assert {one.log for one in asked} == {result.data.name for result in recorded_results(ROOT / "results" / folder)}
    strange = [
        f"{result.label}, seed {result.seed}"
        for result in recorded_results(ROOT / "results" / folder)
        if not any(asks_for(one, result) for one in asked)
    ]
    assert not strange
