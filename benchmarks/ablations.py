"""Write the page of what GSRec is without each of its parts: a table, a plot and an answer a question.

python benchmarks/ablations.py results/ablations experiments/questions.toml docs/ablations.md
"""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pydantic import BaseModel

from gsrec.evaluation.significance import SIGNIFICANT
from gsrec.experiment.config import as_now
from gsrec.files import replacing, write_text
from gsrec.reporting.comparison import HEADLINE_METRIC, Comparison, ModelSummary, compare_runs, summarise_model
from gsrec.reporting.comparison_tables import mean_and_deviation
from gsrec.reporting.figures import COLOURS, GREY, image
from gsrec.reporting.phrases import conditions, duration
from gsrec.reporting.results import RunResult, group_by_model, read_results
from gsrec.reporting.tables import Cell, Column, Table, to_markdown

REFERENCE = "gsrec"
FURTHER = ("Validation", "Parameters", "Epoch")
"""What is told of a model on a data set besides its test and the difference to GSRec."""

HEAD = """# What GSRec is without each of its parts

Written by `make ablations`. One thing is changed at a time ([presets](../experiments/ablations.toml)); all else is
as in the files of [experiments](../experiments), except that every model gets at most eight epochs, judged on
validation at every second one; the best of these is judged on test, once. Eight epochs are about where GSRec is
best on Beauty; on ml-1m most would go on learning. So what only learns slowly (noise, losses with negatives) may
look worse here than it is in the end.

Nor is one change always one thing. Losses other than softmax keep the temperature that was found with it. Without
the way past the recurrence the feed-forward behind it and the norm at the end are gone too; what has no feed-forward
in its attention blocks keeps the one behind the recurrence, which the thesis lacks as well. The hybrids have cosines
and start as GSRec has them, but the attention of their papers, over the whole row by position, and no feed-forward
behind the recurrence; GAT4Rec and FDG-Trans have other parts besides.

{seeds}

Differences are to GSRec as it is, over the same users, each user's value being the mean over seeds, with 95% intervals;
bold: p below {significant} by the paired randomisation test after Holm's correction for all {tests} tests of a data
set. They are about these trained models, not about other seeds. Validation is what chose the epoch, and what a design
is chosen by. Seconds an epoch are of one thread, beside other work and on more than one processor: those of the fastest
seed, and no more than a hint.
"""


class Question(BaseModel, frozen=True):
    """What is asked, of which models, and what their numbers mean.

    Attributes:
        models: what a model stands for, and its label in the results.
        answer: empty until there are numbers.
        missing: what those models stand for that were run on no data set.
    """

    name: str
    asks: str
    models: dict[str, str]
    answer: str = ""
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ablation:
    """The runs of one data set, by model, and how they compare."""

    runs: Mapping[str, Sequence[RunResult]]
    comparison: Comparison

    @cached_property
    def models(self) -> Mapping[str, ModelSummary]:
        """What the models came to, by their labels."""
        return {model.label: model for model in self.comparison.models}

    def on_validation(self, label: str) -> ModelSummary:
        """What a model came to on validation, by which the epoch of each of its runs was chosen."""
        return summarise_model([run.model_copy(update={"metrics": _chosen_by(run)}) for run in self.runs[label]])

    def epoch_seconds(self, label: str) -> float:
        """Of a model's epoch, by its fastest seed."""
        return min(run.training.seconds / run.training.epochs for run in self.runs[label])


def _chosen_by(run: RunResult) -> dict[str, float]:
    return {HEADLINE_METRIC: max(epoch.validation[HEADLINE_METRIC] for epoch in run.history if epoch.validation)}


def read_ablation(file: Path) -> Ablation:
    """The runs of a results file."""
    runs = read_results(file, as_now=as_now)
    return Ablation(group_by_model(runs), compare_runs(runs, reference=REFERENCE))


def run_of(question: Question, ablations: Sequence[Ablation]) -> Question:
    """The question about those of its models that were run on a data set at least."""
    known = {label for ablation in ablations for label in ablation.models}
    models = {meant: label for meant, label in question.models.items() if label in known}
    missing = tuple(meant for meant in question.models if meant not in models)
    return question.model_copy(update={"models": models, "missing": missing})


def table(question: Question, ablations: Sequence[Ablation]) -> Table:
    """The question's models as rows, the data sets as columns."""
    headings = [
        heading
        for ablation in ablations
        for heading in (f"{ablation.comparison.data.name}: {HEADLINE_METRIC}", "Difference", *FURTHER)
    ]
    rows = [
        (Cell(meant), *(cell for ablation in ablations for cell in cells(label, ablation)))
        for meant, label in question.models.items()
    ]
    return Table(
        title=question.asks,
        columns=(Column("", is_number=False), *map(Column, headings)),
        rows=tuple(rows),
        below=(*([question.answer] if question.answer else ()), *_not_run(question)),
    )


def _not_run(question: Question) -> tuple[str, ...]:
    return (f"Not run yet: {'; '.join(question.missing)}.",) if question.missing else ()


def cells(label: str, ablation: Ablation) -> Iterator[Cell]:
    """What one model came to on one data set."""
    model = ablation.models.get(label)
    if model is None:
        yield from [Cell("not run")] + [Cell("")] * (1 + len(FURTHER))
        return
    yield Cell(mean_and_deviation(model, HEADLINE_METRIC))
    pair = ablation.comparison.significance.between(label, REFERENCE)
    if pair is None:
        yield Cell("")
    else:
        low, high = pair.interval
        yield Cell(f"{pair.difference:+.4f} ({low:+.4f} to {high:+.4f})", bold=pair.significant)
    yield Cell(mean_and_deviation(ablation.on_validation(label), HEADLINE_METRIC))
    yield Cell(f"{model.costs.num_parameters:,}")
    yield Cell(duration(ablation.epoch_seconds(label)))


def plot(question: Question, ablations: Sequence[Ablation]) -> Figure:
    """The differences to GSRec with their intervals, a panel a data set."""
    figure = Figure(figsize=(9.0, 1.1 + 0.36 * len(question.models)), layout="constrained")
    panels = figure.subplots(1, len(ablations), sharey=True, squeeze=False)[0]
    for axes, ablation, colour in zip(panels, ablations, COLOURS, strict=False):
        for place, label in enumerate(question.models.values()):
            if label == REFERENCE:
                axes.plot([0], [place], marker="D", color=GREY, markersize=6)
            elif pair := ablation.comparison.significance.between(label, REFERENCE):
                axes.plot(pair.interval, [place, place], color=colour, linewidth=2)
                axes.plot(
                    [pair.difference],
                    [place],
                    marker="o",
                    color=colour,
                    markersize=6,
                    markerfacecolor=colour if pair.significant else "white",
                )
        axes.axvline(0, color=GREY, linewidth=0.8, zorder=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(axis="x", color="#E5E5E5", linewidth=0.7)
        axes.tick_params(labelsize=9, color=GREY)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_title(ablation.comparison.data.name, loc="left", fontsize=9, color=GREY)
        axes.set_xlabel(f"{HEADLINE_METRIC} minus GSRec's", fontsize=9)
    panels[0].set_yticks(range(len(question.models)), list(question.models))
    panels[0].set_ylim(len(question.models) - 0.5, -0.5)
    return figure


def seeds_told(ablations: Sequence[Ablation]) -> str:
    """How many trainings a number is the mean of; where not all have as many, which have how many."""
    told = []
    for ablation in ablations:
        most = max(map(len, ablation.runs.values()))
        fewer = [f"{label} ({len(runs)})" for label, runs in ablation.runs.items() if len(runs) < most]
        told.append(f"{most} on {ablation.comparison.data.name}" + (f", but of {', '.join(fewer)}" if fewer else ""))
    means = f"Numbers are means over seeds, ± the standard deviation: {'; '.join(told)}."
    return f"{means} What has fewer is set against GSRec's mean over all of its own." if " but of " in means else means


def main() -> None:
    """Write the page and its plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where a folder of results a data set is")
    parser.add_argument("questions", type=Path)
    parser.add_argument("page", type=Path)
    given = parser.parse_args()
    found = tomllib.loads(given.questions.read_text(encoding="utf-8"))["question"]
    files = sorted(given.folder.glob("*/results.jsonl"), reverse=True)  # ml-1m first
    ablations = [read_ablation(file) for file in files]
    tests = " and ".join(str(ablation.comparison.significance.num_tests) for ablation in ablations)
    parts = [HEAD.format(significant=SIGNIFICANT, tests=tests, seeds=seeds_told(ablations))]
    parts += [f"{line}\n" for ablation in ablations for line in conditions(ablation.comparison)]
    questions = [run_of(Question.model_validate(one), ablations) for one in found]
    for question in (question for question in questions if len(question.models) > 1):
        drawn = given.folder / f"{question.name}.png"
        with replacing(drawn) as new:
            new.write_bytes(image(plot(question, ablations), "png"))
        link = Path(os.path.relpath(drawn, given.page.parent)).as_posix()
        parts += [to_markdown([table(question, ablations)], level=2), f"![{question.asks}]({link})\n"]
    if unasked := [question.asks for question in questions if len(question.models) < 2]:
        parts.append(f"## Not asked yet\n\n{' '.join(unasked)}\n")
    write_text(given.page, "\n".join(parts))


if __name__ == "__main__":
    main()
