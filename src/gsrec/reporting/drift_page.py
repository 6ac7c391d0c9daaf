"""The drift of a model on one page: what it does not know, how popularity has shifted, and what it still gets right.

Needs the extra `report`. The page is one file that asks nobody for anything.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from gsrec.extras import check_installed, needed
from gsrec.files import write_text
from gsrec.places import check_page
from gsrec.reporting.drift import Drift, Period


def check_drift_page(page: Path) -> None:
    """Make sure that the page can be drawn and written, before anything is computed for it.

    Raises:
        MissingExtraError: if matplotlib or jinja2 is not installed.
        ConfigError: if its name does not end with `.html`.
        DataError: if there is a folder in its place, or it cannot be written to.
    """
    check_installed("matplotlib", "jinja2")
    check_page(page, ".html")


def write_drift_page(drift: Drift, page: Path) -> None:
    """Write the page of a drift.

    Args:
        drift: what came out.
        page: the HTML file.

    Raises:
        MissingExtraError: if matplotlib or jinja2 is not installed.
        DataError: if the file cannot be written.
    """
    check_drift_page(page)
    jinja2 = needed("jinja2")
    text = resources.files("gsrec.reporting").joinpath("drift.html").read_text(encoding="utf-8")
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
    write_text(page, template.render(drift=drift, plot=_plot(drift), metric=_metric))


def _metric(period: Period, name: str) -> str:
    return f"{period.metrics[name]:.4f}" if name in period.metrics else "none"


def _plot(drift: Drift) -> str:
    """Three panels by age, as SVG."""
    from gsrec.reporting import figures

    svg = figures.image(figures.drift_panels(drift.periods, drift.on_validation), "svg").decode()
    return svg[svg.index("<svg") :]
