"""A model that was trained elsewhere, in the same table as those trained here."""

from __future__ import annotations

from pathlib import Path

from gsrec import __version__
from gsrec.bundle import DataFacts
from gsrec.data.splits import Split
from gsrec.errors import ConfigError
from gsrec.evaluation.evaluator import Evaluation
from gsrec.experiment.compare import RUNS_FOLDER, check_comparison_place, keep_ranks, recorded_results
from gsrec.files import held
from gsrec.models import MODELS
from gsrec.reporting.comparison import check_comparable
from gsrec.reporting.results import (
    RESULTS_FILE,
    RunResult,
    TrainingRecord,
    append_result,
    checked_result,
    group_by_model,
)


def record_external(
    out: str | Path,
    label: str,
    evaluation: Evaluation,
    split: Split,
    *,
    training: TrainingRecord,
    seed: int = 1,
    config: dict[str, object] | None = None,
) -> RunResult:
    """Record how a model of another library was judged, beside what `gsrec compare` records in the same folder.

    `gsrec report` then has it in its tables, its plots and its paired tests as any other.

    Args:
        out: the folder of the comparison; it may be new.
        label: the model's name in tables; not that of a model of this library.
        evaluation: of `Evaluator.evaluate_scores` or `Evaluator.evaluate`, on test.
        split: what it was judged on, cut as the comparison cuts it.
        training: what the training took.
        seed: of the training; results of one label with different seeds are one model.
        config: its settings, as JSON has them, for the record: those of one label must not differ.

    Returns:
        The result as it was recorded.

    Raises:
        ConfigError: if the label is no name for a folder or that of a model of this library, the evaluation is not on
            test, or `out` holds something else than a comparison.
        DataError: if the evaluation is of another split, the result cannot stand in one table with those that are there
            (of other data, by another protocol) or is there already, or results cannot be read or written.
    """
    out, run = Path(out), Path(RUNS_FOLDER) / f"{label}-seed{seed}-external"
    if not label.replace("-", "").replace("_", "").replace(".", "").isalnum() or label.startswith("."):
        raise ConfigError(f"a label is of letters, digits, '-', '_' and '.', found {label!r}")
    if label in MODELS:
        raise ConfigError(f"{label} is a model of this library. Give another label.")
    if evaluation.protocol.part != "test":
        raise ConfigError(f"what is recorded is judged on test, found {evaluation.protocol.part}")
    evaluation.items_of(split)  # tells if it is of another
    told = {
        "model": label,
        "label": label,
        "data": DataFacts.of(split).model_dump(),
        "split": split.name,
        "seed": seed,
        **evaluation.record(),
        "config": config or {},
        "training": training,
        "version": __version__,
        "run": str(run),
    }
    result = checked_result(told, f"the result of {label}")
    check_comparison_place(out)
    with held(out):
        together = [*recorded_results(out), result]
        group_by_model(together)
        check_comparable(together)
        keep_ranks(evaluation, out / run)
        return append_result(out / RESULTS_FILE, result)
