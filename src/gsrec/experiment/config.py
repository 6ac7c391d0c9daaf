"""What decides a run: data, model, training. Presets, files and single settings are laid over each other."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from gsrec.data.log import InteractionLog
from gsrec.data.sequences import Sequences
from gsrec.data.splits import Split, global_temporal, last_n, leave_one_out
from gsrec.errors import ConfigError
from gsrec.models import MODELS, ModelConfig
from gsrec.models.config import Description, Size
from gsrec.training.config import TrainingConfig

Layer = dict[str, dict[str, object]]
"""Settings by section: `{"model": {...}, "training": {...}}`."""


class DataConfig(Description):
    """Which events count, and how they are split.

    Attributes:
        min_user_interactions: users with fewer events are left out (the thesis: 3).
        min_item_interactions: items with fewer events are left out.
        k_core: whether both are repeated until nothing more falls out.
        drop_repeats: whether an item taken several times in a row counts once.
        split: `leave-one-out` (the thesis), `last-n`, or `temporal`, which cuts at two moments in time.
        held_out: of `last-n`, events a user in each of validation and test.
    """

    min_user_interactions: Size = 3
    min_item_interactions: Size = 1
    k_core: bool = False
    drop_repeats: bool = False
    split: Literal["leave-one-out", "last-n", "temporal"] = "leave-one-out"
    held_out: Size = 1

    def filtered(self, log: InteractionLog) -> InteractionLog:
        """The events of a log that count.

        Raises:
            DataError: if nothing is left.
        """
        return log.filtered(
            min_user_interactions=self.min_user_interactions,
            min_item_interactions=self.min_item_interactions,
            k_core=self.k_core,
            drop_repeats=self.drop_repeats,
        )

    def cut(self, sequences: Sequences) -> Split:
        """Cut histories into train, validation and test.

        Raises:
            DataError: if the cut leaves one of them empty.
        """
        match self.split:
            case "leave-one-out":
                return leave_one_out(sequences)
            case "last-n":
                return last_n(sequences, self.held_out)
            case "temporal":
                return global_temporal(sequences)


class RunConfig(Description):
    """All that decides a run besides the log itself."""

    data: DataConfig = DataConfig()
    model: Annotated[ModelConfig, Field(discriminator="name")]
    training: TrainingConfig = TrainingConfig()
    preset: str = "default"
    seed: Annotated[int, Field(ge=0)] = 1

    @property
    def label(self) -> str:
        """What the run is called in tables: the model, and its preset where it is not the default one."""
        return self.model.name if self.preset == "default" else f"{self.model.name}:{self.preset}"


def run_config(
    model: str, preset: str = "default", *, file: Path | None = None, settings: Iterable[str] = (), seed: int = 1
) -> RunConfig:
    """Lay a preset, a TOML file and single settings over each other, the later ones on top.

    Args:
        model: a model's name.
        preset: one of the model's presets.
        file: a TOML file with the sections `data`, `model` and `training`.
        settings: `key=value` or `section.key=value`, the value as in TOML, quotes left out where it is plain text.
        seed: of everything random in the run.

    Raises:
        ConfigError: if a name or a key is unknown, or a value is out of its range.
    """
    layers = [preset_layer(model, preset), read_layer(file) if file else {}, settings_layer(settings, model)]
    merged: Layer = {"model": {"name": model}}
    for layer in layers:
        for section, values in layer.items():
            merged[section] = merged.get(section, {}) | values
    return _checked(merged, preset, seed)


def presets(model: str) -> tuple[str, ...]:
    """The names of a model's presets."""
    return ("default", *(name for name in _preset_file(model) if name != "default"))


def preset_layer(model: str, preset: str) -> Layer:
    """The settings of a preset.

    Raises:
        ConfigError: if there is no such model or preset; the message names those there are.
    """
    if preset not in presets(model):
        raise ConfigError(_unknown(f"preset of {model}", preset, presets(model)))
    return _preset_file(model).get(preset, {})


def read_layer(file: Path) -> Layer:
    """The settings in a TOML file.

    Raises:
        ConfigError: if it cannot be read or is not made of sections.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the configuration {file}: {error}") from error
    loose = [key for key, value in content.items() if not isinstance(value, dict)]
    if loose:
        raise ConfigError(f"{file}: {loose[0]!r} must stand in one of the sections [data], [model], [training]")
    return content


def settings_layer(settings: Iterable[str], model: str) -> Layer:
    """The settings in `key=value` texts, each put into the section that has such a key.

    Raises:
        ConfigError: if a text is not of that form, or no section has the key.
    """
    layer: Layer = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise ConfigError(f"a setting must be key=value, found {setting!r}")
        section, name = _place(key.strip(), model)
        layer.setdefault(section, {})[name] = _value(value.strip())
    return layer


def has_setting(setting: str, model: str) -> bool:
    """Whether a model has the key of a `key=value` text."""
    section, _, name = setting.partition("=")[0].strip().rpartition(".")
    sections = _sections(model)
    return any(name in names for home, names in sections.items() if section in ("", home))


def _place(key: str, model: str) -> tuple[str, str]:
    sections = _sections(model)
    if "." in key:
        section, _, name = key.partition(".")
        return section, name
    homes = [section for section, names in sections.items() if key in names]
    if not homes:
        known = sorted(name for names in sections.values() for name in names)
        raise ConfigError(_unknown("setting", key, known))
    return homes[0], key


def _sections(model: str) -> dict[str, list[str]]:
    """Which keys each section has, for this model."""
    config = RunConfig.model_validate({"model": {"name": model}})
    parts: dict[str, Description] = {"data": config.data, "model": config.model, "training": config.training}
    return {section: [name for name in type(part).model_fields if name != "name"] for section, part in parts.items()}


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _preset_file(model: str) -> dict[str, Layer]:
    if model not in MODELS:
        raise ConfigError(_unknown("model", model, MODELS))
    text = resources.files("gsrec.experiment").joinpath("presets", f"{model}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _checked(merged: Mapping[str, object], preset: str, seed: int) -> RunConfig:
    try:
        return RunConfig.model_validate({**merged, "preset": preset, "seed": seed})
    except ValidationError as error:
        raise ConfigError("; ".join(_problem(dict(problem)) for problem in error.errors())) from error


def _problem(problem: Mapping[str, object]) -> str:
    places = problem["loc"] if isinstance(problem["loc"], tuple) else ()
    path = [str(place) for place in places if place not in MODELS]
    if problem["type"] == "extra_forbidden":
        return f"unknown setting {'.'.join(path)!r}. `gsrec train --help` tells where settings are listed"
    return f"{'.'.join(path)}: {problem['msg']}, found {problem['input']!r}"


def _unknown(kind: str, found: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(found, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown {kind} {found!r}.{hint} There are: {', '.join(names)}"
