"""What decides a run: data, model, training. Presets, files and single settings are laid over each other."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from gsrec.data.log import InteractionLog
from gsrec.data.sequences import Sequences
from gsrec.data.splits import Split, at_moments, global_temporal, last_n, leave_one_out
from gsrec.errors import ConfigError
from gsrec.experiment.defaults import Layer, LogSizes, suited_layer
from gsrec.models import MODELS, ModelConfig
from gsrec.models.config import Description, Size
from gsrec.training.config import TrainingConfig

AS_PUBLISHED = ("thesis", "thesis-ml-1m")
"""Presets that are what they are, whatever the log."""


class DataConfig(Description):
    """Which events count, and how they are split.

    Attributes:
        min_user_interactions: users with fewer events are left out (the thesis: 3).
        min_item_interactions: items with fewer events are left out.
        k_core: whether both are repeated until nothing more falls out.
        drop_repeats: whether an item taken several times in a row counts once.
        split: `leave-one-out` (the thesis), `last-n`, `temporal`, which cuts where 80% and 90% of the events were, or
            `at-moments`, which cuts at those given, as a refresh does.
        held_out: of `last-n`, events a user in each of validation and test.
        training_until, validation_until: of `at-moments`, Unix seconds.
    """

    min_user_interactions: Size = 3
    min_item_interactions: Size = 1
    k_core: bool = False
    drop_repeats: bool = False
    split: Literal["leave-one-out", "last-n", "temporal", "at-moments"] = "leave-one-out"
    held_out: Size = 1
    training_until: int | None = None
    validation_until: int | None = None

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
            ConfigError: if the moments to cut at are not given.
            DataError: if the cut leaves one of them empty.
        """
        match self.split:
            case "leave-one-out":
                return leave_one_out(sequences)
            case "last-n":
                return last_n(sequences, self.held_out)
            case "temporal":
                return global_temporal(sequences)
            case "at-moments":
                if self.training_until is None or self.validation_until is None:
                    raise ConfigError("the split at-moments needs training_until and validation_until, in Unix seconds")
                return at_moments(sequences, self.training_until, self.validation_until)


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


def as_now(recorded: Any) -> Any:
    """A recorded configuration as this version records it: settings that are newer stand at their defaults.

    What this version cannot read stays as it is.
    """
    try:
        return RunConfig.model_validate(recorded).model_dump(mode="json")
    except ValidationError:
        return recorded


def run_config(
    model: str,
    preset: str = "default",
    *,
    file: Path | None = None,
    settings: Iterable[str] = (),
    seed: int = 1,
    sizes: LogSizes | None = None,
) -> RunConfig:
    """Lay a preset, what suits the log, a TOML file and single settings over each other, the later ones on top.

    Args:
        model: a model's name.
        preset: one of the model's presets.
        file: a TOML file with the sections `data`, `model` and `training`; of `model`, what the model has counts.
        settings: `key=value` or `section.key=value`, the value as in TOML, quotes left out where it is plain text.
        seed: of everything random in the run.
        sizes: of the log, which all presets but those of the thesis then suit.

    Raises:
        ConfigError: if a name or a key is unknown, or a value is out of its range.
    """
    return _laid(model, preset, given_layer(file, settings, [model]), seed, sizes)


def run_configs(
    models: Iterable[str],
    seeds: Iterable[int],
    *,
    file: Path | None = None,
    settings: Iterable[str] = (),
    presets_file: Path | None = None,
    sizes: LogSizes | None = None,
) -> list[RunConfig]:
    """A configuration for every model and seed; a setting of models goes to those that have it.

    Args:
        models: each as `name` or `name:preset`.
        seeds: one configuration a model and seed.
        file: as for `run_config`.
        settings: as for `run_config`.
        presets_file: a TOML file with further presets, as `[name.model]` and `[name.training]`; each lies on top of the
            model's default preset.
        sizes: as for `run_config`.

    Raises:
        ConfigError: if a name is unknown or given twice, no model has a setting, or a value is out of its range.
    """
    further = read_presets(presets_file) if presets_file else {}
    named = [(name, preset or "default") for name, _, preset in (model.strip().partition(":") for model in models)]
    for twice in (one for place, one in enumerate(named) if one in named[:place]):
        raise ConfigError(f"the models name {':'.join(twice)} twice. To run a model several times, give more --seeds.")
    keys = {name: model_keys(name) for name, _ in named}
    layer = given_layer(file, settings, keys)
    for key in layer.get("model", {}):
        if not any(key in known for known in keys.values()):
            raise ConfigError(_unknown("setting of these models", key, sorted(set().union(*keys.values()))))
    fitting = {
        name: layer | {"model": {key: value for key, value in layer.get("model", {}).items() if key in keys[name]}}
        for name, _ in named
    }
    return [_laid(name, preset, fitting[name], seed, sizes, further) for seed in seeds for name, preset in named]


def presets(model: str) -> tuple[str, ...]:
    """The names of a model's presets."""
    return ("default", *(name for name in _preset_file(model) if name != "default"))


def preset_layer(model: str, preset: str, *, others: Iterable[str] = ()) -> Layer:
    """The settings of a preset.

    Raises:
        ConfigError: if there is no such model or preset; the message names those there are, and `others`.
    """
    if preset not in presets(model):
        raise ConfigError(_unknown(f"preset of {model}", preset, [*presets(model), *others]))
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


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the configuration {file}: {error}") from error


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
    return _over(of_file | ({"model": of_models} if "model" in of_file else {}), settings_layer(settings))


def model_keys(model: str) -> set[str]:
    """The settings that a model has.

    Raises:
        ConfigError: if there is no such model.
    """
    if model not in MODELS:
        raise ConfigError(_unknown("model", model, MODELS))
    config = RunConfig.model_validate({"model": {"name": model}}).model
    return set(type(config).model_fields) - {"name"}


def _section_of(key: str) -> str:
    keys = _keys(*MODELS)
    for section, names in keys.items():
        if key in names:
            return section
    raise ConfigError(_unknown("setting", key, sorted(set().union(*keys.values()))))


def _keys(*models: str) -> dict[str, list[str]]:
    """The settings of every section, with those of all of these models."""
    of_models = sorted(set().union(*map(model_keys, models)))
    return {"data": [*DataConfig.model_fields], "model": of_models, "training": [*TrainingConfig.model_fields]}


def _over(below: Layer, above: Layer) -> Layer:
    return {section: below.get(section, {}) | above.get(section, {}) for section in below | above}


def _laid(
    model: str,
    preset: str,
    given: Layer,
    seed: int,
    sizes: LogSizes | None = None,
    further: Mapping[str, Layer] = MappingProxyType({}),
) -> RunConfig:
    """The configuration of a preset with what is given on top."""
    if (name := given.get("model", {}).get("name", model)) != model:
        raise ConfigError(f"the settings are for the model {name!r}, and the model of this run is {model!r}")
    suits = {} if preset in AS_PUBLISHED else suited(model, sizes)
    if preset == "default" or preset in further:
        below = _over(_over(preset_layer(model, "default"), suits), further.get(preset, {}))
    else:
        below = _over(suits, preset_layer(model, preset, others=further))
    return _checked(_over(_over(below, given), {"model": {"name": model}}), preset, seed)


def suited(model: str, sizes: LogSizes | None) -> Layer:
    """What suits a log of these sizes, of what the model has, where nothing else is given."""
    layer, keys = suited_layer(sizes, model) if sizes else {}, model_keys(model)
    return layer | {"model": {key: value for key, value in layer.get("model", {}).items() if key in keys}}


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
        raise ConfigError(_unknown("model", model, MODELS))
    text = resources.files("gsrec.experiment").joinpath("presets", f"{model}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _checked(merged: Layer, preset: str, seed: int) -> RunConfig:
    model = str(merged["model"]["name"])
    try:
        config = RunConfig.model_validate({**merged, "preset": preset, "seed": seed}, strict=True)
    except ValidationError as error:
        raise ConfigError(_problems(error, model)) from error
    if (config.training.objective == "masked-item") != (model == "bert4rec"):
        raise ConfigError(
            "training.objective: bert4rec, which sees both sides of an item, is trained with masked-item, and no other "
            f"model is; found {config.training.objective!r} for {model}"
        )
    return config


def _problems(error: ValidationError, model: str) -> str:
    """What is wrong, setting by setting; of a setting that may be one thing or another, what is wrong with each."""
    told: dict[str, str] = {}
    for problem in error.errors():
        path = [str(place) for place in problem["loc"] if place not in MODELS][:2]  # behind it: which of the things
        key, reason = ".".join(path), problem["msg"].lower()
        if problem["type"] == "extra_forbidden":
            keys = _keys(model)
            told[key] = _unknown("setting", key, keys[path[0]] if len(path) > 1 else keys)
        else:
            before = f"{told[key]}, or " if key in told else f"{key}, found {problem['input']!r}: "
            told[key] = before + reason
    return "; ".join(told.values())


def _unknown(kind: str, found: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(found.rpartition(".")[2], names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown {kind} {found!r}.{hint} There are: {', '.join(names)}"
