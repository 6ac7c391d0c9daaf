"""A study of settings in one picture: what was reached trial by trial, and by every setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gsrec.files import replacing
from gsrec.reporting.plots import check_plots_available

STUDY_PLOT = "study.png"


def write_study_plot(trials: Sequence[Mapping[str, Any]], folder: Path) -> Path | None:
    """Draw the trials of a study: filled ones ran to their end, hollow ones were given up.

    Args:
        trials: each with `number`, `state`, `validation` and `settings`.
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
    from matplotlib.figure import Figure

    from gsrec.reporting.figures import COLOURS, image

    keys = list(trials[0]["settings"])
    figure = Figure(figsize=(3.2 * (1 + len(keys)), 3.2), layout="constrained")
    panels = figure.subplots(1, 1 + len(keys), sharey=True, squeeze=False)[0]
    for axes, key in zip(panels, ["trial", *keys], strict=True):
        for state, face in (("complete", COLOURS[0]), ("pruned", "none")):
            chosen = [trial for trial in trials if trial["state"] == state]
            values = [trial["number"] if key == "trial" else trial["settings"][key] for trial in chosen]
            axes.scatter(values, [t["validation"] for t in chosen], facecolors=face, edgecolors=COLOURS[0], label=state)
        axes.set_xlabel(key.rpartition(".")[2].replace("_", " "))
        if key.endswith(("learning_rate", "_size")):
            axes.set_xscale("log")
            values = sorted({trial["settings"][key] for trial in trials})
            ticks = values if key.endswith("_size") else [values[0], values[-1]]
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
    by_number = sorted(trials, key=lambda trial: trial["number"])
    best = [max(t["validation"] for t in by_number[: place + 1]) for place in range(len(by_number))]
    panels[0].step([trial["number"] for trial in by_number], best, where="post", color=COLOURS[1], label="best so far")
    panels[0].set_ylabel("validation NDCG@10")
    panels[0].legend(fontsize="small")
    path = folder / STUDY_PLOT
    with replacing(path) as new:
        new.write_bytes(image(figure, "png"))
    return path
