"""The configuration of a run: presets, what suits the log, files and single settings, laid over each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from gsrec.data.sequences import LogSizes
from gsrec.errors import ConfigError
from gsrec.experiment.config import Layer, RunConfig, learns
from gsrec.experiment.defaults import catalogue_note, suited_layer, suited_note
from gsrec.experiment.layers import (
    each,
    given_layer,
    model_keys,
    over,
    preset_layer,
    read_presets,
    section_keys,
    settings_layer,
    unknown,
)
from gsrec.models import MODELS, ModelConfig
from gsrec.training.config import OVER_CATALOGUE
from gsrec.training.precision import precision_note

AS_PUBLISHED = ("thesis", "thesis-ml-1m")
"""Presets that are what they are, whatever the log."""


def _has_recurrence(model: ModelConfig) -> bool:
    return hasattr(model, "recurrent_size") and getattr(model, "cell", "gru") != "none"


def _has_feed_forward(model: ModelConfig) -> bool:
    return hasattr(model, "feed_forward_size") and getattr(model, "feed_forward", True)


BESIDE: Mapping[str, tuple[str, Callable[[RunConfig], bool]]] = {
    "data.held_out": ("split=last-n", lambda config: config.data.split == "last-n"),
    "data.training_until": ("split=at-moments", lambda config: config.data.split == "at-moments"),
    "data.validation_until": ("split=at-moments", lambda config: config.data.split == "at-moments"),
    "model.recurrent_size": ("a recurrence", lambda config: _has_recurrence(config.model)),
    "model.num_recurrent_layers": ("a recurrence", lambda config: _has_recurrence(config.model)),
    "model.feed_forward_size": ("feed_forward=true", lambda config: _has_feed_forward(config.model)),
    "model.activation": ("feed_forward=true", lambda config: _has_feed_forward(config.model)),
    "model.latest": ("the model gat4rec", lambda config: config.model.name == "gat4rec"),
    "training.num_negatives": ("a loss that has negatives", lambda config: config.training.loss not in OVER_CATALOGUE),
    "training.calibration": ("loss=gbce", lambda config: config.training.loss == "gbce"),
    "training.mask_share": ("the model bert4rec", lambda config: config.model.name == "bert4rec"),
    "training.mask_last_share": ("the model bert4rec", lambda config: config.model.name == "bert4rec"),
}
"""Settings that have an effect beside another one alone."""


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
    return RunRequest(model, preset, file, each(settings), seed).config(sizes)


@dataclass(frozen=True)
class RunRequest:
    """A run as it is asked for, before it is known which log its settings are to suit. Its file is read once.

    Attributes:
        model: as for `run_config`, like all that follows.
        preset: one of the model's presets.
        file: a TOML file.
        settings: `key=value` texts.
        seed: of everything random in the run.
    """

    model: str = "gsrec"
    preset: str = "default"
    file: Path | None = None
    settings: tuple[str, ...] = ()
    seed: int = 1

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            ConfigError: if a name or a key is unknown, or a value is out of its range.
        """
        _check_effect(self.settings, [self.config()])

    @cached_property
    def given(self) -> Layer:
        """The settings of the file, with the single ones on top."""
        return given_layer(self.file, self.settings, [self.model])

    def config(self, sizes: LogSizes | None = None, *, drawn: Layer | None = None) -> RunConfig:
        """The configuration, suited to the sizes of a log, with what was drawn on top.

        Raises:
            ConfigError: if what was drawn does not fit.
        """
        return _laid(self.model, self.preset, over(self.given, drawn or {}), self.seed, sizes)


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
        raise ConfigError(
            f"{':'.join(twice)} is twice among the models. To run a model several times, give more --seeds."
        )
    keys = {name: model_keys(name) | {"name"} for name, _ in named}
    settings = each(settings)
    layer = given_layer(file, settings, keys)
    for key in layer.get("model", {}):
        if not any(key in known for known in keys.values()):
            raise ConfigError(unknown("setting of these models", key, sorted(set().union(*keys.values()) - {"name"})))
    fitting = {
        name: layer | {"model": {key: value for key, value in layer.get("model", {}).items() if key in keys[name]}}
        for name, _ in named
    }
    configs = [_laid(name, preset, fitting[name], seed, sizes, further) for seed in seeds for name, preset in named]
    _check_effect(settings, configs)
    return configs


def suited(model: str, sizes: LogSizes | None) -> Layer:
    """What suits a log of these sizes, of what the model has, where nothing else is given."""
    layer, keys = suited_layer(sizes, model) if sizes else {}, model_keys(model)
    return layer | {"model": {key: value for key, value in layer.get("model", {}).items() if key in keys}}


def training_notes(config: RunConfig, sizes: LogSizes) -> tuple[str, ...]:
    """What the user should be told before a training: settings that suit the log, a dear loss, the precision."""
    if not learns(config.model.name):
        return ()
    suits = () if config.preset in AS_PUBLISHED else suited_note(suited(config.model.name, sizes), config)
    return (*suits, *catalogue_note(config.training, sizes.num_items), precision_note(config.training.precision))


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
        below = over(over(preset_layer(model, "default"), suits), further.get(preset, {}))
    else:
        below = over(suits, preset_layer(model, preset, others=further))
    return _checked(over(over(below, given), {"model": {"name": model}}), preset, seed)


def _check_effect(settings: Iterable[str], configs: Sequence[RunConfig]) -> None:
    """Make sure that single settings change something in one of these configurations; a file may be for others too.

    Raises:
        ConfigError: if it does not.
    """
    given = settings_layer(settings)
    for key, (beside, holds) in BESIDE.items():
        section, name = key.split(".")
        if name in given.get(section, {}) and not any(map(holds, configs)):
            raise ConfigError(f"{key} has no effect but with {beside}: give that too, or leave it out")
    if given.get("training") and not any(learns(config.model.name) for config in configs):
        raise ConfigError(f"training.{next(iter(given['training']))} has no effect: no model here is trained in steps")


def _checked(merged: Layer, preset: str, seed: int) -> RunConfig:
    model = str(merged["model"]["name"])
    try:
        return RunConfig.model_validate({**merged, "preset": preset, "seed": seed}, strict=True)
    except ValidationError as error:
        raise ConfigError(_problems(error, model)) from error


def _problems(error: ValidationError, model: str) -> str:
    """What is wrong, setting by setting; of a setting that may be one thing or another, what is wrong with each."""
    told: dict[str, str] = {}
    for problem in error.errors():
        path = [str(place) for place in problem["loc"] if place not in MODELS][:2]  # behind it: which of the things
        key, reason = ".".join(path), problem["msg"].lower()
        if problem["type"] == "value_error":  # of settings that do not fit each other
            told[reason] = str(problem["ctx"]["error"])
        elif problem["type"] == "extra_forbidden":
            keys = section_keys(model)
            told[key] = unknown("setting", key, keys[path[0]] if len(path) > 1 else keys)
        else:
            before = f"{told[key]}, or " if key in told else f"{key}, found {problem['input']!r}: "
            told[key] = before + reason
    return "; ".join(told.values())
