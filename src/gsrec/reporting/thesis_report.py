"""The thesis's experiment told whole: its table beside ours, its three questions answered from both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.console import Group
from rich.text import Text

from gsrec.reporting.results import RunResult
from gsrec.reporting.tables import Table, to_markdown, to_terminal
from gsrec.reporting.thesis_numbers import DATASETS, TABLE_5_1
from gsrec.reporting.thesis_outcomes import Outcome, our_outcomes, thesis_outcomes
from gsrec.reporting.thesis_questions import Answer, answer_questions
from gsrec.reporting.thesis_table import thesis_tables


@dataclass(frozen=True)
class ThesisReport:
    """What the thesis found and what we found.

    Attributes:
        outcomes: our numbers, one entry a data set.
        tables: the thesis's table beside ours, then the paired tests.
        thesis_answers: the three questions by the thesis's numbers.
        our_answers: the same by ours.
        cuts: what is smaller in ours than in the thesis.
    """

    outcomes: tuple[Outcome, ...]
    tables: tuple[Table, ...]
    thesis_answers: tuple[Answer, ...]
    our_answers: tuple[Answer, ...]
    cuts: tuple[str, ...]

    def markdown(self) -> str:
        """The whole report as markdown."""
        lines = ["### The thesis's three questions"]
        for theirs, ours in zip(self.thesis_answers, self.our_answers, strict=True):
            lines += [f"**{theirs.question}**", _listed("The thesis", theirs), _listed(self._ours, ours)]
        return to_markdown(self.tables) + "\n" + "\n\n".join(lines) + "\n"

    def terminal(self) -> Group:
        """The whole report as something that rich prints."""
        parts: list[Text] = []
        for theirs, ours in zip(self.thesis_answers, self.our_answers, strict=True):
            parts += [Text(theirs.question, style="bold"), Text(_listed("The thesis", theirs))]
            parts += [Text(_listed(self._ours, ours)), Text()]
        return Group(to_terminal(self.tables), *parts)

    @property
    def _ours(self) -> str:
        """Whose the second answers are, and whether they are of the thesis's settings."""
        return "Ours, with other settings" if self.cuts else "Ours"

    def record(self) -> dict[str, object]:
        """The whole report as JSON."""
        comparisons = {one.data: one.comparison.record() for one in self.outcomes if one.comparison}
        answers = {
            "thesis": [asdict(answer) for answer in self.thesis_answers],
            "ours": [asdict(answer) for answer in self.our_answers],
        }
        thesis = {data: {name: dict(row) for name, row in rows.items()} for data, rows in TABLE_5_1.items()}
        ours = {one.data: {name: dict(row) for name, row in one.values.items()} for one in self.outcomes}
        return {"thesis": thesis, "ours": ours, "cuts": self.cuts, "answers": answers, "comparisons": comparisons}


def thesis_report(
    results: Iterable[RunResult], *, cuts: Sequence[str] = (), datasets: Mapping[str, str] = DATASETS
) -> ThesisReport:
    """Set our runs of the thesis's experiment beside the thesis.

    Args:
        results: runs of the thesis's models on its data sets, see `our_outcomes`.
        cuts: what is smaller than in the thesis, for example "width 64, not 500"; none: run at full size.
        datasets: our name of a log, and what the thesis calls the data it stands for.

    Raises:
        DataError: if the results do not fit the thesis's table.
    """
    outcomes = our_outcomes(results, datasets=datasets)
    return ThesisReport(
        outcomes=outcomes,
        tables=thesis_tables(outcomes, cuts=cuts),
        thesis_answers=answer_questions(thesis_outcomes()),
        our_answers=answer_questions(outcomes),
        cuts=tuple(cuts),
    )


def _listed(whose: str, answer: Answer) -> str:
    return "\n".join([f"- {whose}: {answer.verdict}", *(f"  - {sentence}" for sentence in answer.evidence)])
