"""Settings come from files and texts into their sections; what has not their form is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from gsrec.errors import ConfigError
from gsrec.experiment.layers import given_layer, model_keys, read_layer, settings_layer
from gsrec.models import MODELS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("[model]\ndropout = 0.3\nmax_length = 20\n[training]\nepochs = 7\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("setting", "layer"),
    [
        ("epochs=3", {"training": {"epochs": 3}}),
        ("training.epochs=3", {"training": {"epochs": 3}}),
        (" window = all ", {"model": {"window": "all"}}),
        ("model.window=16", {"model": {"window": 16}}),
        ("k_core=true", {"data": {"k_core": True}}),
        ("feed_forward=False", {"model": {"feed_forward": False}}),
        ("learning_rate=1e-3", {"training": {"learning_rate": 0.001}}),
        ("dropout=.5", {"model": {"dropout": 0.5}}),
        ('loss="bce"', {"training": {"loss": "bce"}}),
        ("loss=bce", {"training": {"loss": "bce"}}),
        ("split=leave-one-out", {"data": {"split": "leave-one-out"}}),
        ("loss=", {"training": {"loss": ""}}),
        ("data.split=a=b", {"data": {"split": "a=b"}}),
    ],
)
def test_a_setting_finds_its_section_and_its_type(setting: str, layer: dict[str, dict[str, object]]) -> None:
    assert settings_layer([setting]) == layer


@pytest.mark.parametrize("setting", ["epochs", "=3", "", "epochs:3"])
def test_a_setting_must_have_its_form(setting: str) -> None:
    with pytest.raises(ConfigError, match="a setting must be key=value, found"):
        settings_layer([setting])


def test_a_file_must_be_readable_and_made_of_sections(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*none.toml: .*No such file"):
        read_layer(tmp_path / "none.toml")
    (tmp_path / "config.toml").write_text("[data]\nk_core = yes\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*: Invalid value \(at line 2, column 10\)"):
        read_layer(tmp_path / "config.toml")
    (tmp_path / "config.toml").write_text("epochs = 3\n[data]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"'epochs' must stand in one of the sections \[data\], \[model\]"):
        read_layer(tmp_path / "config.toml")


def test_sections_of_a_file_stay_beside_those_of_settings(file: Path) -> None:
    layer = given_layer(file, ["k_core=true", "max_length=5"], ["gsrec"])
    assert layer == {
        "data": {"k_core": True},
        "model": {"dropout": 0.3, "max_length": 5},
        "training": {"epochs": 7},
    }


def test_the_settings_of_models() -> None:
    assert model_keys("poprec") == {"days"}
    assert all("name" not in model_keys(model) for model in MODELS)
    with pytest.raises(ConfigError, match="unknown model 'pop'"):
        model_keys("pop")
