"""Several comparisons at a glance, beside what others published."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from gsrec.description import Description, first_problem
from gsrec.errors import DataError
from gsrec.reporting.comparison import Comparison
from gsrec.reporting.comparison_tables import DECIMALS, mean_and_deviation, rounded
from gsrec.reporting.phrases import COMMON, column_heading, list_in_words
from gsrec.reporting.results import Metrics
from gsrec.reporting.tables import NOT_RUN, Cell, Column, Table

METRICS = ("NDCG@10", "HR@10")
"""What is told of every comparison, a table each."""

READING = (
    f"{' over the '.join(COMMON).capitalize()} where a column says nothing else. "
    "Mean ± standard deviation where there are several seeds, else one; –: not run. Bold: the best of a column, be it "  # noqa: RUF001
    "by chance or not: that, costs, and how many targets are of items never trained on, stand with each comparison."
)


class Published(Description):
    """What somebody else's model came to, on the test part.

    Attributes:
        data: our name of the log.
        split: how it was cut, as results call it.
        candidates: what targets were ranked among, as in a protocol.
        source: where it stands.
    """

    model: str
    data: str
    split: str = "leave-one-out"
    candidates: str = "full"
    metrics: Metrics
    source: str

    @property
    def label(self) -> str:
        """What its row is called."""
        return f"{self.model}, published"

    def is_of(self, comparison: Comparison) -> bool:
        """Whether it can stand beside a comparison."""
        protocol = (comparison.data.name, comparison.split, comparison.protocol.candidates)
        return comparison.protocol.split == "test" and protocol == (self.data, self.split, self.candidates)


class _PublishedFile(Description):
    published: tuple[Published, ...]


def read_published(file: Path) -> tuple[Published, ...]:
    """What is in a TOML file of `[[published]]` entries.

    Raises:
        DataError: if it cannot be read, or an entry lacks something or has something unknown.
    """
    try:
        return _PublishedFile.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))).published
    except ValidationError as error:
        raise DataError(f"{file}: {first_problem(error)}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {file}: {error}") from error


def overview_tables(comparisons: Sequence[Comparison], published: Iterable[Published] = ()) -> tuple[Table, ...]:
    """A table a metric: models as rows, a comparison a column; who stands in all of them comes first, by mean place.

    Args:
        comparisons: of any data and protocols.
        published: what is of none of the comparisons is left out.
    """
    told = [one for one in published if any(map(one.is_of, comparisons))]
    return tuple(_table(metric, comparisons, [one for one in told if metric in one.metrics]) for metric in METRICS)


def _table(metric: str, comparisons: Sequence[Comparison], published: Sequence[Published]) -> Table:
    columns = [_column(metric, comparison, published) for comparison in comparisons]
    theirs = list(dict.fromkeys(one.label for one in published))
    ours = {label for column in columns for label in column} - set(theirs)
    rows = [*sorted(ours, key=lambda label: _order(label, columns)), *theirs]
    return Table(
        title=f"At a glance: {metric}",
        columns=(Column("Model", is_number=False), *(Column(column_heading(comparison)) for comparison in comparisons)),
        rows=tuple((Cell(label), *(column.get(label, Cell(NOT_RUN)) for column in columns)) for label in rows),
        below=(READING, *_told(published)),
    )


def _order(label: str, columns: Sequence[Mapping[str, Cell]]) -> tuple[bool, float, str]:
    """Whether a row has gaps, and its mean place in the columns where it stands."""
    places = [list(column).index(label) for column in columns if label in column]
    return len(places) < len(columns), sum(places) / len(places), label


def _column(metric: str, comparison: Comparison, published: Sequence[Published]) -> dict[str, Cell]:
    """The cells of a comparison by their rows' labels, the best first, what was published at the end."""
    models = sorted((one for one in comparison.models if metric in one.means), key=lambda one: -one.means[metric])
    theirs = {one.label: round(one.metrics[metric], DECIMALS) for one in published if one.is_of(comparison)}
    best = max([*(rounded(model, metric) for model in models), *theirs.values()], default=None)
    ours = {one.label: Cell(mean_and_deviation(one, metric), bold=rounded(one, metric) == best) for one in models}
    return ours | {label: Cell(f"{value:.{DECIMALS}f}", bold=value == best) for label, value in theirs.items()}


def _told(published: Sequence[Published]) -> tuple[str, ...]:
    if not published:
        return ()
    sources = dict.fromkeys(one.source for one in published)
    of_source = {
        source: list_in_words(list(dict.fromkeys(one.model for one in published if one.source == source)))
        for source in sources
    }
    told = "; ".join(f"{models} from {source}" for source, models in of_source.items())
    return (
        f"Published by others for the same log, split and candidates: {told}. Their protocols "
        "may differ in what is not told here, such as the order of ties.",
    )
