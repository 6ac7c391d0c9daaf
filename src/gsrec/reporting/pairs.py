"""Paired tests between models over the same users, corrected for their number.

Legend: U users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from gsrec.evaluation.significance import SIGNIFICANT, holm, paired_test
from gsrec.reporting.per_user import TargetValues, check_same_users


@dataclass(frozen=True)
class Pair:
    """Two models on the same users.

    Attributes:
        first: a label.
        second: a label.
        difference: mean over users of the first minus the second.
        interval: its 95% interval.
        p_value: of the paired randomisation test, two-sided.
        adjusted: the p-value after Holm's correction for all tests that were made.
    """

    first: str
    second: str
    difference: float
    interval: tuple[float, float]
    p_value: float
    adjusted: float

    @property
    def significant(self) -> bool:
        """Whether the corrected p-value is below 0.05."""
        return self.adjusted < SIGNIFICANT

    def seen_from(self, label: str) -> Pair:
        """The same pair with this label first."""
        if label == self.first:
            return self
        low, high = self.interval
        return Pair(self.second, self.first, -self.difference, (-high, -low), self.p_value, self.adjusted)


@dataclass(frozen=True)
class Significance:
    """The paired tests of a comparison.

    Attributes:
        metric: what they are about.
        pairs: the tests, the better model first unless a reference was named.
        num_tests: the tests that were made, which is what the correction is for.
    """

    metric: str
    pairs: tuple[Pair, ...]
    num_tests: int

    def between(self, first: str, second: str) -> Pair | None:
        """The test of these two labels, seen from the first, or None if it was not made."""
        for pair in self.pairs:
            if {pair.first, pair.second} == {first, second}:
                return pair.seen_from(first)
        return None


def paired_tests(
    values: Sequence[TargetValues], *, metric: str, reference: str | None = None, seed: int = 0
) -> Significance:
    """Test models against each other, pairing their users.

    A user's value is the metric averaged over the model's seeds and the user's targets.

    Args:
        values: one entry a model.
        metric: the metric they hold.
        reference: a label to test against every other model, which then stands first; None: every pair.
        seed: of the randomisation.

    Raises:
        DataError: if two models judged different users.
    """
    ordered = sorted(values, key=lambda value: -float(value.per_user().mean()))
    couples = list(combinations(ordered, 2))
    if reference is not None:
        couples = [
            couple if couple[0].label == reference else couple[::-1]
            for couple in couples
            if reference in (couple[0].label, couple[1].label)
        ]
    pairs = _corrected([_tested(first, second, seed) for first, second in couples])
    return Significance(metric, tuple(pairs), len(pairs))


def _tested(first: TargetValues, second: TargetValues, seed: int) -> Pair:
    check_same_users(first.users, second.users, first.label, second.label)
    test = paired_test(first.per_user(), second.per_user(), seed)
    return Pair(first.label, second.label, test.difference, test.interval, test.p_value, test.p_value)


def _corrected(pairs: Sequence[Pair]) -> list[Pair]:
    adjusted = holm([pair.p_value for pair in pairs])
    return [
        Pair(pair.first, pair.second, pair.difference, pair.interval, pair.p_value, float(value))
        for pair, value in zip(pairs, adjusted, strict=True)
    ]
