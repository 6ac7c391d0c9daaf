"""The figures themselves. Imports matplotlib, so this is imported only where something is drawn, and only then.

Colours are those of Okabe and Ito, which colour-blind readers tell apart; markers and dashes say the same again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gsrec.reporting.breakdown import BinValue
from gsrec.reporting.curves import Curve, ModelCurves
from gsrec.reporting.drift import Period
from gsrec.reporting.trials import Trial

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#555555"
TIME_UNITS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


@dataclass(frozen=True)
class Words:
    """What a figure says in words: its title, a smaller line under it, and its axes."""

    title: str
    subtitle: str
    x_label: str
    y_label: str


@dataclass(frozen=True)
class Look:
    """How one model is drawn, the same in all figures."""

    colour: str
    marker: str
    dash: str


def looks(labels: Sequence[str]) -> dict[str, Look]:
    """A look for every label: colour and marker differ, and where they come round again, the dash does."""
    count = len(COLOURS)
    return {
        label: Look(COLOURS[place % count], MARKERS[place % count], ("-", "--", ":")[place // count % 3])
        for place, label in enumerate(labels)
    }


def learning_curves(models: Sequence[ModelCurves], words: Words) -> Figure:
    """The validation metric by epoch and by training time: one line a model, thin ones for single seeds.

    A model that is not trained in epochs is a dotted level. The best epoch of every line is marked.

    Args:
        models: the curves.
        words: `x_label` is of the left panel.
    """
    figure, axes = _panels(words, 2)
    by_label = looks([model.label for model in models])
    unit, unit_name = _time_unit(models)
    handles: dict[str, Artist] = {}
    for model in models:
        look = by_label[model.label]
        handles[model.label] = _draw_curves(axes[0], model, look, seconds_per_unit=None)
        _draw_curves(axes[1], model, look, seconds_per_unit=unit)
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[1].set_xlabel(f"Training time ({unit_name})", parse_math=False)
    order = sorted(models, key=lambda model: -model.height)
    _legend(figure, {model.label: handles[model.label] for model in order})
    return figure


def metric_by_bins(models: Mapping[str, Sequence[BinValue]], words: Words) -> Figure:
    """A metric within bins, side by side for all models, with 95% intervals and the number of targets.

    Args:
        models: label, one value a bin; all models have the same bins.
        words: what is said.
    """
    figure, (axes,) = _panels(words, 1)
    by_label = looks(list(models))
    handles: dict[str, Artist] = {}
    for place, (label, values) in enumerate(models.items()):
        offset = (place - (len(models) - 1) / 2) * 0.7 / len(models)
        handles[label] = _draw_bins(axes, values, by_label[label], offset)
    bins = next(iter(models.values()))
    axes.set_xticks(range(len(bins)), [f"{one.bin}\nn = {one.count:,}" for one in bins])
    axes.set_xlim(-0.5, len(bins) - 0.5)
    axes.set_ylim(bottom=0)
    for border in range(len(bins) - 1):
        axes.axvline(border + 0.5, color="#DDDDDD", linewidth=0.6, zorder=0)
    _legend(figure, handles)
    return figure


def drift_panels(periods: Sequence[Period], on_validation: Mapping[str, float]) -> Figure:
    """What a model does not know, how popularity shifted, and how good the model is, by its age.

    Args:
        periods: one at least.
        on_validation: the model's metrics when it was trained.
    """
    ages = [period.age for period in periods]
    figure = Figure(figsize=(12.0, 3.6), layout="constrained")
    unknown, shift, quality = figure.subplots(1, 3)

    def draw(axes: Axes, place: int, key: str, label: str, dash: str = "-") -> None:
        values = [getattr(period, key) for period in periods]
        axes.plot(ages, values, dash, color=COLOURS[place], marker=MARKERS[place], markersize=4, label=label)

    draw(unknown, 0, "unknown_items", "events of unknown items")
    draw(unknown, 1, "new_users", "users who are new")
    unknown.set_ylabel("share")
    draw(shift, 0, "shift", "popularity, from training")
    draw(shift, 1, "shift_by_chance", "by chance alone", "--")
    shift.set_ylabel("Jensen-Shannon divergence, bits")
    judged = [period for period in periods if "NDCG@10" in period.intervals]
    means = [period.metrics["NDCG@10"] for period in judged]
    low = [mean - period.intervals["NDCG@10"][0] for mean, period in zip(means, judged, strict=True)]
    high = [period.intervals["NDCG@10"][1] - mean for mean, period in zip(means, judged, strict=True)]
    at = [period.age for period in judged]
    quality.errorbar(at, means, yerr=[low, high], color=COLOURS[0], marker=MARKERS[0], markersize=4, label="since")
    if "NDCG@10" in on_validation:
        quality.axhline(on_validation["NDCG@10"], color=GREY, linestyle=":", label="on validation, when trained")
    quality.set_ylabel("NDCG@10")
    for axes in (unknown, shift, quality):
        axes.set_xlabel("age of the model, days")
        axes.set_ylim(bottom=0)
        _tidy(axes)
        axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return figure


def study_panels(trials: Sequence[Trial]) -> Figure:
    """What was reached trial by trial, and by every setting; hollow marks were given up.

    Args:
        trials: one at least.
    """
    keys = list(trials[0].settings)
    figure = Figure(figsize=(3.2 * (1 + len(keys)), 3.2), layout="constrained")
    panels = figure.subplots(1, 1 + len(keys), sharey=True, squeeze=False)[0]
    for axes, key in zip(panels, ["trial", *keys], strict=True):
        for state, face in (("complete", COLOURS[0]), ("pruned", "none")):
            chosen = [trial for trial in trials if trial.state == state]
            values = [trial.number if key == "trial" else trial.settings[key] for trial in chosen]
            axes.scatter(values, [t.validation for t in chosen], facecolors=face, edgecolors=COLOURS[0], label=state)
        axes.set_xlabel(key.rpartition(".")[2].replace("_", " "))
        _tidy(axes)
        if key.endswith(("learning_rate", "_size")):
            axes.set_xscale("log")
            values = sorted({trial.settings[key] for trial in trials})
            ticks = values if key.endswith("_size") else [values[0], values[-1]]
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
    by_number = sorted(trials, key=lambda trial: trial.number)
    best = [max(t.validation for t in by_number[: place + 1]) for place in range(len(by_number))]
    panels[0].step([trial.number for trial in by_number], best, where="post", color=COLOURS[1], label="best so far")
    panels[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set_ylabel("validation NDCG@10")
    panels[0].legend(fontsize="small")
    return figure


def image(figure: Figure, kind: str) -> bytes:
    """A figure as a file's content, "png" or "svg"; equal figures give equal bytes."""
    content = BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with mpl.rc_context({"svg.hashsalt": "gsrec"}):
        figure.savefig(content, format=kind, dpi=160, metadata=metadata)
    return content.getvalue()


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.7)
    axes.set_axisbelow(True)


def _panels(words: Words, count: int) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    panels = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    figure.suptitle(words.title, x=0.01, ha="left", fontsize=12, fontweight="bold", parse_math=False)
    for axes in panels:
        _tidy(axes)
        axes.spines[["left", "bottom"]].set_color(GREY)
        axes.tick_params(labelsize=9, color=GREY)
        axes.set_xlabel(words.x_label, parse_math=False)
    panels[0].set_ylabel(words.y_label, parse_math=False)
    panels[0].set_title(words.subtitle, loc="left", fontsize=8.5, color=GREY, parse_math=False)
    return figure, list(panels)


def _draw_curves(axes: Axes, model: ModelCurves, look: Look, *, seconds_per_unit: float | None) -> Artist:
    if model.mean is None:
        return axes.axhline(model.level or 0.0, color=look.colour, linestyle=":", linewidth=1.8)

    def across(curve: Curve) -> Sequence[float]:
        return list(curve.epochs if seconds_per_unit is None else curve.seconds / seconds_per_unit)

    for curve in model.seeds if len(model.seeds) > 1 else ():
        axes.plot(across(curve), curve.values, color=look.colour, linestyle=look.dash, linewidth=0.7, alpha=0.35)
    best = int(model.mean.values.argmax())
    (line,) = axes.plot(
        across(model.mean),
        model.mean.values,
        color=look.colour,
        linestyle=look.dash,
        linewidth=1.8,
        marker=look.marker,
        markersize=6,
        markevery=[best],
    )
    return line


def _draw_bins(axes: Axes, values: Sequence[BinValue], look: Look, offset: float) -> Artist:
    means = [one.mean for one in values]
    below = [one.mean - one.interval[0] for one in values]
    above = [one.interval[1] - one.mean for one in values]
    places = [place + offset for place in range(len(values))]
    points: Artist = axes.errorbar(
        places,
        means,
        yerr=[below, above],
        color=look.colour,
        marker=look.marker,
        markersize=5,
        linestyle="none",
        elinewidth=1.4,
        capsize=0,
        markerfacecolor=look.colour if look.dash == "-" else "white",
        clip_on=False,
    )[0]
    return points


def _legend(figure: Figure, handles: Mapping[str, Artist]) -> None:
    legend = figure.legend(
        list(handles.values()), list(handles), loc="outside right upper", frameon=False, fontsize=9, handlelength=2.2
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _time_unit(models: Sequence[ModelCurves]) -> tuple[float, str]:
    longest = max((curve.seconds.max() for model in models for curve in model.seeds), default=0.0)
    return next(((size, name) for size, name in TIME_UNITS if longest >= 2 * size), TIME_UNITS[-1])
