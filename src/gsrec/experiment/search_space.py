"""What tuning draws: which settings, from what, and which of them are spread evenly before any are learned from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gsrec.data.sequences import LogSizes
from gsrec.experiment.config import Layer, RunConfig
from gsrec.experiment.configure import RunRequest
from gsrec.experiment.layers import model_keys, over

CHOICES: Mapping[str, tuple[int, ...]] = {"model.embedding_size": (64, 128, 256), "training.batch_size": (64, 128, 256)}
"""What is drawn from, alike for every model that has it, besides the value that would be trained anyway."""

RANGES: Mapping[str, tuple[float, float]] = {"model.dropout": (0.1, 0.6), "training.learning_rate": (3e-4, 5e-3)}
"""The same of what is drawn between two values."""

BY_LOGARITHM = ("training.learning_rate",)

NUM_SPREAD = 9
"""Trials after the first one that are spread evenly over what is drawn from, before those that learn from others."""


@dataclass(frozen=True)
class Tuning:
    """What is tuned, and what stays as given.

    Attributes:
        request: the model, the settings that stay, and the seed of the draws and of every training.
        sizes: of the log, which the settings that are not drawn suit; None: they are the preset's.
    """

    request: RunRequest
    sizes: LogSizes | None = None

    def drawn(self) -> list[str]:
        """The keys that are drawn: those the model has and nobody has given."""
        given, of_model = self.request.given, model_keys(self.request.model)
        keys = (key.split(".") for key in (*CHOICES, *RANGES))
        known = [(section, name) for section, name in keys if section == "training" or name in of_model]
        return [f"{section}.{name}" for section, name in known if name not in given.get(section, {})]

    def undrawn(self) -> dict[str, Any]:
        """What the drawn keys are where nothing is drawn: the first trial."""
        config = self.config().model_dump()
        return {key: config[key.partition(".")[0]][key.partition(".")[2]] for key in self.drawn()}

    def space(self) -> dict[str, list[Any]]:
        """What the drawn keys are drawn from: all choices, or the least and the most."""
        return {
            key: sorted({*CHOICES[key], anyway})
            if key in CHOICES
            else [min(RANGES[key][0], anyway), max(RANGES[key][1], anyway)]
            for key, anyway in self.undrawn().items()
        }

    def spread(self, number: int) -> dict[str, Any]:
        """The values of one of the trials that are spread evenly: 0 to NUM_SPREAD - 1.

        Each value's range is cut in as many parts as there are such trials, and each trial has another part.
        """
        generator, space = np.random.default_rng(self.request.seed), self.space()
        parts = generator.permuted(np.tile(np.arange(NUM_SPREAD), (len(space), 1)), axis=1)
        shares = (parts + generator.random(parts.shape)) / NUM_SPREAD  # (values, trials), 0 to 1
        return {
            key: _at(key, among, float(share))
            for (key, among), share in zip(space.items(), shares[:, number], strict=True)
        }

    def config(self, drawn: Mapping[str, object] | None = None) -> RunConfig:
        """The configuration with these drawn values."""
        return self.request.config(self.sizes, drawn=_layer(drawn or {}))

    def file(self, drawn: Mapping[str, object], told: str) -> str:
        """A file for `--config` with these drawn values and what was given, headed by what is told of them."""
        layer = over(self.request.given, _layer(drawn))
        preset = "" if self.request.preset == "default" else f", to be used with its preset {self.request.preset}"
        lines = [f"# {self.request.model}{preset}, {told}"]
        for section, values in layer.items():
            lines += ["", f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
        return "\n".join(lines) + "\n"


def _layer(values: Mapping[str, object]) -> Layer:
    layer: Layer = {}
    for key, value in values.items():
        section, name = key.split(".")
        layer.setdefault(section, {})[name] = value
    return layer


def _at(key: str, among: Sequence[Any], share: float) -> Any:
    """The value that lies so far, 0 to 1, from the first to the last of a space."""
    if key in CHOICES:
        return among[int(share * len(among))]
    low, high = among
    return low * (high / low) ** share if key in BY_LOGARITHM else low + (high - low) * share
