"""How a model's validation metric rose while it was trained, over its seeds.

Legend: E validated epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gsrec.reporting.results import RunResult


@dataclass(frozen=True, eq=False)
class Curve:
    """A validation metric by epoch and by training time.

    Attributes:
        epochs: (E,) int64, from 1.
        seconds: (E,) float64, of training since the start, validations left out.
        values: (E,) float64, the metric.
    """

    epochs: np.ndarray
    seconds: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class ModelCurves:
    """A model's curves: their mean, and one a seed.

    Attributes:
        label: the model.
        mean: over the epochs that every seed came to; None for a model that is not trained in epochs.
        seeds: one curve a run, in the order of the seeds.
        level: the metric at the end of training, mean over seeds; None if it was not measured.
    """

    label: str
    mean: Curve | None
    seeds: tuple[Curve, ...]
    level: float | None

    @property
    def is_known(self) -> bool:
        """Whether there is anything to draw."""
        return self.mean is not None or self.level is not None

    @property
    def height(self) -> float:
        """The highest point of the mean, or the level if there is no curve: what legends are ordered by."""
        return float(self.mean.values.max()) if self.mean else self.level or 0.0


def model_curves(runs: Sequence[RunResult], metric: str) -> ModelCurves:
    """The curves of the runs of one label; epochs without this validation metric are not on them."""
    curves = [curve for curve in (_curve(run, metric) for run in runs) if curve.epochs.size]
    ends = [run.validation[metric] for run in runs if run.validation and metric in run.validation]
    return ModelCurves(runs[0].label, _mean(curves), tuple(curves), float(np.mean(ends)) if ends else None)


def _curve(run: RunResult, metric: str) -> Curve:
    points = [
        (epoch.epoch, epoch.seconds, epoch.validation[metric])
        for epoch in run.history
        if epoch.validation and metric in epoch.validation
    ]
    epochs, seconds, values = zip(*points, strict=True) if points else ((), (), ())
    return Curve(np.array(epochs, dtype=np.int64), np.array(seconds, dtype=float), np.array(values, dtype=float))


def _mean(curves: Sequence[Curve]) -> Curve | None:
    if not curves:
        return None
    shared = curves[0].epochs
    for curve in curves[1:]:
        shared = np.intersect1d(shared, curve.epochs)
    if not shared.size:
        return None
    rows = [np.searchsorted(curve.epochs, shared) for curve in curves]
    seconds = np.mean([curve.seconds[row] for curve, row in zip(curves, rows, strict=True)], axis=0)
    values = np.mean([curve.values[row] for curve, row in zip(curves, rows, strict=True)], axis=0)
    return Curve(shared, seconds, values)
