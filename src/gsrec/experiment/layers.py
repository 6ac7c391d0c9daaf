"""Layers of settings: presets, TOML files, and single `key=value` texts."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from gsrec.errors import ConfigError
from gsrec.experiment.config import DataConfig, Layer
from gsrec.models import MODELS, ModelConfig
from gsrec.training.config import TrainingConfig

_OF_MODELS: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)


def presets(model: str) -> tuple[str, ...]:
    """The names of a model's presets."""
    return ("default", *(name for name in _preset_file(model) if name != "default"))


def preset_layer(model: str, preset: str, *, others: Iterable[str] = ()) -> Layer:
    """The settings of a preset.

    Raises:
        ConfigError: if there is no such model or preset; the message names those there are, and `others`.
    """
    if preset not in presets(model):
        raise ConfigError(unknown(f"preset of {model}", preset, [*presets(model), *others]))
    return _preset_file(model).get(preset, {})


def read_presets(file: Path) -> dict[str, Layer]:
    """The presets in a TOML file, by name.

    Raises:
        ConfigError: if it cannot be read, or a preset is not made of sections.
    """
    found: dict[str, Layer] = {}
    for name, layer in _read_toml(file).items():
        if not isinstance(layer, dict) or not all(isinstance(section, dict) for section in layer.values()):
            raise ConfigError(
                f"{file}: expected presets as [{name}.model], [{name}.training], found {name} = {layer!r}"
            )
        found[name] = layer
    return found


def read_layer(file: Path) -> Layer:
    """The settings in a TOML file.

    Raises:
        ConfigError: if it cannot be read or is not made of sections.
    """
    content = _read_toml(file)
    loose = [key for key, value in content.items() if not isinstance(value, dict)]
    if loose:
        raise ConfigError(f"{file}: {loose[0]!r} must stand in one of the sections [data], [model], [training]")
    return content


def each(settings: Iterable[str]) -> tuple[str, ...]:
    """Single settings; a text by itself is one.

    >>> each("epochs=3"), each(["epochs=3", "seed=1"])
    (('epochs=3',), ('epochs=3', 'seed=1'))
    """
    return (settings,) if isinstance(settings, str) else tuple(settings)


def settings_layer(settings: Iterable[str]) -> Layer:
    """The settings in `key=value` texts, each put into the section that has such a key.

    Raises:
        ConfigError: if a text is not of that form, or no section has the key.
    """
    layer: Layer = {}
    for setting in settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not key:
            raise ConfigError(f"a setting must be key=value, found {setting!r}")
        section, _, name = key.rpartition(".")
        layer.setdefault(section or _section_of(name), {})[name] = _value(value)
    return layer


def given_layer(file: Path | None, settings: Iterable[str], models: Iterable[str]) -> Layer:
    """The settings of a file and single settings on top of them.

    A file may be for several models: what only models other than these have is left out of it.
    """
    of_file = read_layer(file) if file else {}
    theirs = set().union(*map(model_keys, models))
    others = set().union(*map(model_keys, MODELS)) - theirs
    of_models = {key: value for key, value in of_file.get("model", {}).items() if key not in others}
    return over(of_file | ({"model": of_models} if "model" in of_file else {}), settings_layer(settings))


def model_keys(model: str) -> set[str]:
    """The settings that a model has.

    Raises:
        ConfigError: if there is no such model.
    """
    if model not in MODELS:
        raise ConfigError(unknown("model", model, MODELS))
    return set(type(_OF_MODELS.validate_python({"name": model})).model_fields) - {"name"}


def section_keys(*models: str) -> dict[str, list[str]]:
    """The settings of every section, with those of all of these models."""
    of_models = sorted(set().union(*map(model_keys, models)))
    return {"data": [*DataConfig.model_fields], "model": of_models, "training": [*TrainingConfig.model_fields]}


def over(below: Layer, above: Layer) -> Layer:
    """One layer on top of another: of a setting that both have, the upper one's value holds."""
    return {section: below.get(section, {}) | above.get(section, {}) for section in below | above}


def unknown(kind: str, found: str, known: Iterable[str]) -> str:
    """The message about a name that there is not, with the nearest one and all there are."""
    names = list(known)
    close = difflib.get_close_matches(found.rpartition(".")[2], names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown {kind} {found!r}.{hint} There are: {', '.join(names)}"


def _section_of(key: str) -> str:
    keys = section_keys(*MODELS)
    for section, names in keys.items():
        if key in names:
            return section
    raise ConfigError(unknown("setting", key, sorted(set().union(*keys.values()))))


def _value(text: str) -> object:
    """A value as in TOML, and as in Python: False and .5. Any other text stands for itself."""
    for spelling in (text, text.lower(), re.sub(r"^\.", "0.", text)):
        try:
            return tomllib.loads(f"value = {spelling}")["value"]
        except tomllib.TOMLDecodeError:
            continue
    return text


def _preset_file(model: str) -> dict[str, Layer]:
    if model not in MODELS:
        raise ConfigError(unknown("model", model, MODELS))
    file = resources.files("gsrec.experiment").joinpath("presets", f"{model}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the configuration {file}: {error}") from error
