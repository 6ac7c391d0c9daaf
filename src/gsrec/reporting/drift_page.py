"""The drift of a model on one page: what it does not know, how popularity has shifted, and what it still gets right.

Needs the extra `report`. The page is one file that asks nobody for anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module, resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gsrec.errors import MissingExtraError
from gsrec.files import write_text
from gsrec.reporting.plots import check_plots_available


def write_drift_page(drift: Mapping[str, Any], page: Path) -> None:
    """Write the page of a drift.

    Args:
        drift: the record of `gsrec.experiment.drift.Drift`.
        page: the HTML file.

    Raises:
        MissingExtraError: if matplotlib or jinja2 is not installed.
        DataError: if the file cannot be written.
    """
    check_plots_available()
    if find_spec("jinja2") is None:
        raise MissingExtraError("jinja2", "report")
    jinja2 = import_module("jinja2")
    text = resources.files("gsrec.reporting").joinpath("drift.html").read_text(encoding="utf-8")
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
    write_text(page, template.render(drift=drift, plot=_plot(drift["periods"], drift["on_validation"])))


def _plot(periods: Sequence[Mapping[str, Any]], on_validation: Mapping[str, float]) -> str:
    """Three panels by age, as SVG."""
    from matplotlib.figure import Figure

    from gsrec.reporting.figures import COLOURS, GREY, MARKERS, image

    ages = [period["age"] for period in periods]
    figure = Figure(figsize=(12.0, 3.6), layout="constrained")
    unknown, shift, quality = figure.subplots(1, 3)

    def draw(axes: Any, place: int, values: Sequence[float], label: str, **more: Any) -> None:
        axes.plot(ages, values, color=COLOURS[place], marker=MARKERS[place], markersize=4, label=label, **more)

    draw(unknown, 0, [period["unknown_items"] for period in periods], "events of unknown items")
    draw(unknown, 1, [period["new_users"] for period in periods], "users who are new")
    unknown.set_ylabel("share")
    draw(shift, 0, [period["shift"] for period in periods], "popularity, from training")
    draw(shift, 1, [period["shift_by_chance"] for period in periods], "by chance alone", linestyle="--")
    shift.set_ylabel("Jensen-Shannon divergence, bits")
    judged = [period for period in periods if "NDCG@10" in period["intervals"]]
    means = [period["metrics"]["NDCG@10"] for period in judged]
    low = [mean - period["intervals"]["NDCG@10"][0] for mean, period in zip(means, judged, strict=True)]
    high = [period["intervals"]["NDCG@10"][1] - mean for mean, period in zip(means, judged, strict=True)]
    at = [period["age"] for period in judged]
    quality.errorbar(at, means, yerr=[low, high], color=COLOURS[0], marker=MARKERS[0], markersize=4, label="since")
    if "NDCG@10" in on_validation:
        quality.axhline(on_validation["NDCG@10"], color=GREY, linestyle=":", label="on validation, when trained")
    quality.set_ylabel("NDCG@10")
    for axes in (unknown, shift, quality):
        axes.set_xlabel("age of the model, days")
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#E5E5E5", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    svg = image(figure, "svg").decode()
    return svg[svg.index("<svg") :]
