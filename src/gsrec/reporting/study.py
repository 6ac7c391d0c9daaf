"""A study of settings in one picture: what was reached trial by trial, and by every setting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gsrec.files import replacing
from gsrec.reporting.plots import check_plots_available
from gsrec.reporting.trials import Trial

STUDY_PLOT = "study.png"


def write_study_plot(trials: Sequence[Trial], folder: Path) -> Path | None:
    """Draw the trials of a study: filled ones ran to their end, hollow ones were given up.

    Args:
        trials: in any order.
        folder: where to.

    Returns:
        The file, or None if there is nothing to draw.

    Raises:
        MissingExtraError: if matplotlib is not installed.
        DataError: if the file cannot be written.
    """
    check_plots_available()
    if not trials:
        return None
    from gsrec.reporting import figures

    path = folder / STUDY_PLOT
    with replacing(path) as new:
        new.write_bytes(figures.image(figures.study_panels(trials), "png"))
    return path
