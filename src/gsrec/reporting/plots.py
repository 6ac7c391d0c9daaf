"""Plots of results: learning curves, a metric by history length, a metric by item popularity.

Needs the extra `report`; matplotlib is imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gsrec.extras import check_installed, installed
from gsrec.files import replacing
from gsrec.reporting.breakdown import BinValue, popularity_bins, quantile_bins, values_by_bin
from gsrec.reporting.comparison import HEADLINE_METRIC, can_be_paired, check_comparable
from gsrec.reporting.curves import ModelCurves, model_curves
from gsrec.reporting.per_user import TargetValues, check_same_users, values_over_seeds
from gsrec.reporting.phrases import conditions_in_short
from gsrec.reporting.results import RunResult, group_by_model

NUM_BINS = 6
"""The most ranges of history length or popularity; a bin for cold items comes on top."""


def plots_available() -> bool:
    """Whether the extra `report` is installed."""
    return installed("matplotlib")


def check_plots_available() -> None:
    """Check that plots can be drawn, before anything else is done.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    check_installed("matplotlib")


def write_plots(results: Iterable[RunResult], folder: Path, *, metric: str = HEADLINE_METRIC) -> tuple[Path, ...]:
    """Draw what the results hold enough for; each file is whole or not there.

    There are learning curves if a validation metric was recorded, and the two breakdowns if per-user ranks are
    beside the results of a model. A plot of an earlier report that can no longer be drawn is removed.

    Args:
        results: the runs, all of the same data and protocol.
        folder: where to.
        metric: a metric of ranks, of the validation part in the learning curves.

    Returns:
        The files written.

    Raises:
        MissingExtraError: if matplotlib is not installed.
        DataError: if runs differ in data or protocol, or a file cannot be written.
    """
    check_plots_available()
    groups = group_by_model(results)
    runs = [run for group in groups.values() for run in group]
    check_comparable(runs)
    values = [values_over_seeds(group, metric) for group in groups.values() if can_be_paired(group)]
    for one in values[1:]:
        check_same_users(values[0].users, one.users, values[0].label, one.label)
    curves = [model_curves(group, metric) for group in groups.values()]
    images = {
        "learning_curves": _learning_curves([one for one in curves if one.is_known], runs[0], metric),
        "metric_by_history_length": _by_history_length(values, runs[0]),
        "metric_by_item_popularity": _by_item_popularity(values, runs[0]),
    }
    paths = {name: folder / f"{name}.png" for name in images}
    for name, content in images.items():
        _replace(paths[name], content)
    return tuple(paths[name] for name, content in images.items() if content is not None)


def _learning_curves(models: Sequence[ModelCurves], run: RunResult, metric: str) -> bytes | None:
    if not any(model.mean for model in models):
        return None
    from gsrec.reporting import figures

    several = any(len(model.seeds) > 1 for model in models)
    thin = "thin: single seeds, thick: their mean; " if several else ""
    words = figures.Words(
        title=f"{run.data.name}: validation {metric} while training",
        subtitle=f"{thin}marked: the best epoch",
        x_label="Epoch",
        y_label=f"Validation {metric}",
    )
    return figures.image(figures.learning_curves(models, words), "png")


def _by_history_length(values: Sequence[TargetValues], run: RunResult) -> bytes | None:
    if not values:
        return None
    bins = quantile_bins(values[0].history_lengths, NUM_BINS)
    by_bin = {one.label: values_by_bin(one, one.history_lengths, bins) for one in values}
    return _breakdown(by_bin, values[0].metric, run, by="history length", x_label="Events before the target")


def _by_item_popularity(values: Sequence[TargetValues], run: RunResult) -> bytes | None:
    if not values:
        return None
    bins = popularity_bins(values[0].target_popularity, NUM_BINS)
    by_bin = {one.label: values_by_bin(one, one.target_popularity, bins) for one in values}
    label = "Training events of the target's item (0: cold)"
    return _breakdown(by_bin, values[0].metric, run, by="item popularity", x_label=label)


def _breakdown(
    by_bin: Mapping[str, Sequence[BinValue]], metric: str, run: RunResult, *, by: str, x_label: str
) -> bytes:
    from gsrec.reporting import figures

    words = figures.Words(
        title=f"{run.data.name}: {metric} by {by}",
        subtitle=f"{conditions_in_short(run)}\nbars: 95% intervals; n: targets",
        x_label=x_label,
        y_label=f"{run.protocol.part.capitalize()} {metric}",
    )
    return figures.image(figures.metric_by_bins(by_bin, words), "png")


def _replace(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as new:
        new.write_bytes(content)
