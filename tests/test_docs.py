import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from gsrec.experiment.config import DataConfig
from gsrec.experiment.layers import model_keys, presets
from gsrec.models import MODELS, ModelConfig
from gsrec.training.config import TrainingConfig

ROOT = Path(__file__).parent.parent
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
TOLD = set(re.findall(r"`([a-z0-9_-]+)`", CONFIGURATION))
OF_MODELS: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
DEFAULTS = {model: OF_MODELS.validate_python({"name": model}).model_dump() for model in MODELS}
EXTENDING = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("model", MODELS)
def test_every_setting_of_a_model_is_told(model: str) -> None:
    assert model_keys(model) <= TOLD


@pytest.mark.parametrize(("model", "key"), [(model, key) for model in MODELS for key in sorted(model_keys(model))])
def test_defaults_of_models_are_as_told(model: str, key: str) -> None:
    [row] = re.findall(rf"^\| (?=[^|]*`{key}`)([^|]*) \|[^|]*\| ([^|]*) \|", CONFIGURATION, flags=re.MULTILINE)
    common, _, of_model = row[1].partition(f"; {model} ")
    told = (of_model or common.partition("; ")[0]).split(", ")[re.findall(r"\w+", row[0]).index(key)].strip('`"')
    assert str(DEFAULTS[model][key]).lower().removesuffix(".0") == told


def test_every_setting_of_data_and_training_is_told() -> None:
    assert set(DataConfig.model_fields) <= TOLD
    assert set(TrainingConfig.model_fields) <= TOLD


@pytest.mark.parametrize("model", MODELS)
def test_every_preset_is_told(model: str) -> None:
    assert set(presets(model)) <= TOLD


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_what_the_page_on_extending_tells_runs_as_it_is(tmp_path: Path) -> None:
    told = re.findall(r"^```(console|python)\n(.*?)^```$", EXTENDING, flags=re.MULTILINE | re.DOTALL)
    commands = [
        [sys.executable, "-W", "error", "-c", block] if kind == "python" else shlex.split(block.removeprefix("$ "))
        for kind, block in told
    ]
    assert [command[0] for command in commands].count("gsrec") == 2
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in commands:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    page = (tmp_path / "compared.md").read_text(encoding="utf-8")
    assert re.search(r"^\| +markov \|.*\n", page, flags=re.MULTILINE)
    assert re.search(r"\| markov \u2212 gsrec +\|", page)
