"""The thesis's experiment: its five models on its two data sets by its protocol, and its table beside ours."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from gsrec.data.sources import find_local
from gsrec.errors import ConfigError
from gsrec.experiment.compare import Narrator, compare_models, recorded_results
from gsrec.experiment.config import RunConfig
from gsrec.experiment.configure import run_configs
from gsrec.experiment.folder import LogReference
from gsrec.places import check_own
from gsrec.reporting.plots import plots_available
from gsrec.reporting.report import THESIS_FACTS, write_report, write_thesis_report
from gsrec.reporting.results import RunResult
from gsrec.reporting.thesis_numbers import THESIS_MODELS
from gsrec.reporting.thesis_report import ThesisReport

CANDIDATES = "popularity:100"
"""The thesis does not say what it ranks among; the level of its numbers is that of 100 negatives by popularity."""

RAW_BEAUTY, PREPARED_BEAUTY = "amazon-beauty", "amazon-beauty-bert4rec"

SMALL = {
    "embedding_size": 32,
    "recurrent_size": 32,
    "max_length": 50,
    "epochs": 10,
    "validate_every": 5,
    "patience": 0,
}
"""The settings of the experiment cut down to minutes."""


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
    models: Collection[str] | None = None,
    small: bool = False,
    seeds: Sequence[int] = (1,),
    candidates: str = CANDIDATES,
    settings: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    narrator: Narrator | None = None,
) -> ThesisReport:
    """Run what is not recorded yet, and write the report.

    Args:
        out: the folder of the report, with a folder of results a data set.
        models: those of the five to run now, None for all; of the others the report holds what is recorded.
        small: cut width, length and epochs, and say so in the report.
        seeds: one run a model, data set and seed.
        candidates: what the targets are ranked among.
        settings: `key=value` texts on top of everything, told in the report as cuts.
        stop: asked after every step whether to stop; a training that was stopped is resumed next time.
        narrator: is told how it goes on.

    Raises:
        ConfigError: if a model is none of the five, or `out` holds other files; and as `compare_models`, as are the
            other errors.
    """
    wanted = set(THESIS_MODELS.values() if models is None else models)
    if strange := sorted(wanted - set(THESIS_MODELS.values())):
        raise ConfigError(f"the thesis has no model {strange[0]!r}: expected {', '.join(THESIS_MODELS.values())}")
    given = {text.partition("=")[0].strip().rpartition(".")[2] for text in settings}
    check_own(out, [dataset.log for dataset in datasets()], proof=THESIS_FACTS)
    cuts = [*(f"{key}={value}" for key, value in SMALL.items() if small and key not in given), *settings]
    results: list[RunResult] = []
    for dataset in datasets():
        named = [f"{model}:{dataset.preset}" for model in THESIS_MODELS.values()]
        configs = run_configs(named, seeds, settings=[*dataset.settings, *cuts])
        reference, folder = LogReference(log=dataset.log), out / dataset.log
        asked = [config for config in configs if config.model.name in wanted]
        compare_models(reference, asked, folder, candidates=candidates, stop=stop, narrator=narrator)
        if of_dataset := _recorded(folder, configs, candidates):
            write_report(of_dataset, folder, plots=plots_available())
        results += of_dataset
    return write_thesis_report(results, out, cuts=cuts)


def _recorded(folder: Path, configs: Sequence[RunConfig], candidates: str) -> list[RunResult]:
    """The newest result of every configuration that has one."""
    newest_first = [one for one in reversed(recorded_results(folder)) if one.protocol.candidates == candidates]
    wanted = [config.model_dump(mode="json") for config in configs]
    found = (next((one for one in newest_first if one.config == config), None) for config in wanted)
    return [one for one in found if one is not None]
