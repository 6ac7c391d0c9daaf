"""The thesis's experiment: its five models on its two data sets by its protocol, and its table beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gsrec.data.sources import find_local
from gsrec.experiment.compare import Narrator, compare_models
from gsrec.experiment.configure import run_configs
from gsrec.experiment.folder import LogReference
from gsrec.reporting.plots import plots_available
from gsrec.reporting.report import write_report, write_thesis_report
from gsrec.reporting.results import RunResult
from gsrec.reporting.thesis_numbers import MODELS
from gsrec.reporting.thesis_report import ThesisReport

CANDIDATES = "popularity:100"
"""The thesis does not say what it ranks among; the level of its numbers is that of 100 negatives by popularity."""

RAW_BEAUTY, PREPARED_BEAUTY = "amazon-beauty", "amazon-beauty-bert4rec"

SMALL_SETTINGS = (
    "embedding_size=32",
    "recurrent_size=32",
    "max_length=50",
    "epochs=10",
    "validate_every=5",
    "patience=0",
)
SMALL_CUTS = ("width 32", "length 50", "10 epochs")


@dataclass(frozen=True)
class Dataset:
    """One of the thesis's data sets.

    Attributes:
        log: a source's name.
        preset: which preset holds the thesis's sizes for it.
        settings: how its events are filtered before the thesis's own filter.
    """

    log: str
    preset: str
    settings: tuple[str, ...] = ()


def datasets() -> tuple[Dataset, Dataset]:
    """Beauty and ML-1M. Beauty is the nearest log at hand to the thesis's, or else the raw ratings, to be fetched."""
    prepared = find_local(PREPARED_BEAUTY) is not None and find_local(RAW_BEAUTY) is None
    raw = Dataset(RAW_BEAUTY, "thesis", ("data.min_user_interactions=5", "data.min_item_interactions=5"))
    beauty = Dataset(PREPARED_BEAUTY, "thesis") if prepared else raw
    return beauty, Dataset("ml-1m", "thesis-ml-1m")


def run_thesis(
    out: Path,
    *,
    small: bool = False,
    seeds: Sequence[int] = (1,),
    candidates: str = CANDIDATES,
    settings: Sequence[str] = (),
    narrator: Narrator | None = None,
) -> ThesisReport:
    """Run what is not recorded yet, and write the report.

    Args:
        out: the folder of the report, with a folder of results a data set.
        small: cut width, length and epochs, and say so in the report.
        seeds: one run a model, data set and seed.
        candidates: what the targets are ranked among.
        settings: `key=value` texts on top of everything, told in the report as cuts.
        narrator: is told how it goes on.
    """
    cuts = [*(SMALL_CUTS if small else ()), *settings]
    results: list[RunResult] = []
    for dataset in datasets():
        wanted = [*dataset.settings, *(SMALL_SETTINGS if small else ()), *settings]
        configs = run_configs([f"{model}:{dataset.preset}" for model in MODELS.values()], seeds, settings=wanted)
        reference, folder = LogReference(log=dataset.log), out / dataset.log
        of_dataset = compare_models(reference, configs, folder, candidates=candidates, narrator=narrator)
        write_report(of_dataset, folder, plots=plots_available())
        results += of_dataset
    return write_thesis_report(results, out, cuts=cuts)
