"""The thesis's three questions, answered from numbers: its own, and ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gsrec.reporting.phrases import list_in_words, p_value_text
from gsrec.reporting.thesis_outcomes import OWN_MODEL, Outcome

STATE_OF_THE_ART = ("POP", "BERT4Rec")
COMPONENTS = ("SASRec", "GRU4Rec")

Standing = Literal["ahead of", "behind", "not told apart from", "not compared with"]


@dataclass(frozen=True)
class Answer:
    """A question and what the numbers say to it: the verdict first, then the evidence.

    Attributes:
        question: in the thesis's words.
        verdict: the answer in a sentence or two.
        evidence: one sentence a data set.
    """

    question: str
    verdict: str
    evidence: tuple[str, ...]


def answer_questions(outcomes: Sequence[Outcome]) -> tuple[Answer, ...]:
    """Answer the three questions by these outcomes, the thesis's or ours.

    Where there is a paired test, GSRec counts as ahead or behind only if it says so after Holm's correction; otherwise
    the higher mean decides, as it does for the thesis's own numbers.
    """
    return (
        Answer(
            "1. Does GSRec outperform state-of-the-art models?",
            f"{_yes_or_no(outcomes, STATE_OF_THE_ART)}{_standings(outcomes, STATE_OF_THE_ART)}",
            tuple(_evidence(outcome, STATE_OF_THE_ART) for outcome in outcomes),
        ),
        Answer(
            "2. How does it compare to its components (SASRec and GRU4Rec)?",
            _standings(outcomes, COMPONENTS),
            tuple(_evidence(outcome, COMPONENTS) for outcome in outcomes),
        ),
        Answer(
            "3. How well does GSRec perform on datasets with different characteristics?",
            _characteristics_verdict(outcomes),
            tuple(_characteristics(outcome) for outcome in outcomes),
        ),
    )


def standing(outcome: Outcome, rival: str) -> Standing:
    """Where GSRec stands to a rival by NDCG@10."""
    values = outcome.headline
    if OWN_MODEL not in values or rival not in values:
        return "not compared with"
    test = outcome.test_against(rival)
    difference = test.difference if test else values[OWN_MODEL] - values[rival]
    if difference == 0 or (test is not None and not test.significant):
        return "not told apart from"
    return "ahead of" if difference > 0 else "behind"


def _yes_or_no(outcomes: Sequence[Outcome], rivals: Sequence[str]) -> str:
    standings = [standing(outcome, rival) for outcome in outcomes for rival in rivals]
    judged = [one for one in standings if one != "not compared with"]
    if not judged:
        return ""
    won = judged.count("ahead of")
    verdict = "Yes" if won == len(judged) else "In part" if won else "No"
    return f"{verdict}. " if len(judged) == len(standings) else f"{verdict}, as far as was run. "


def _standings(outcomes: Sequence[Outcome], rivals: Sequence[str]) -> str:
    compared = [
        (outcome, rival) for outcome in outcomes for rival in rivals if standing(outcome, rival) != "not compared with"
    ]
    if not compared:
        return "Not answered: GSRec was not run beside them."
    untested = any(outcome.comparison and not outcome.test_against(rival) for outcome, rival in compared)
    mean_alone = " Where no test could be made, the mean alone decides." if untested else ""
    return f"By NDCG@10, {'; '.join(_summary(outcomes, rival) for rival in rivals)}.{mean_alone}"


def _summary(outcomes: Sequence[Outcome], rival: str) -> str:
    where: dict[Standing, list[str]] = {}
    for outcome in outcomes:
        where.setdefault(standing(outcome, rival), []).append(outcome.data)
    told = [f"{how} {rival} on {list_in_words(names)}" for how, names in where.items()]
    return f"GSRec is {list_in_words(told)}"


def _evidence(outcome: Outcome, rivals: Sequence[str]) -> str:
    return f"{outcome.data}: {'; '.join(_against(outcome, rival) for rival in rivals)}."


def _against(outcome: Outcome, rival: str) -> str:
    values = outcome.headline
    if standing(outcome, rival) == "not compared with":
        return f"GSRec and {rival} were not both run"
    shared = [metric for metric, by_model in outcome.values.items() if {OWN_MODEL, rival} <= by_model.keys()]
    higher = sum(outcome.values[metric][OWN_MODEL] > outcome.values[metric][rival] for metric in shared)
    own, other = values[OWN_MODEL], values[rival]
    relative = f", {own / other - 1:+.0%}" if other else ""
    return (
        f"GSRec is higher than {rival} on {higher} of {len(shared)} metrics "
        f"(NDCG@10 {own:.4f} against {other:.4f}{relative}{_tested(outcome, rival)})"
    )


def _tested(outcome: Outcome, rival: str) -> str:
    test = outcome.test_against(rival)
    if test is None:
        return "; not tested" if outcome.comparison else ""
    low, high = test.interval
    return f"; difference {low:+.4f} to {high:+.4f} at 95%, corrected p {_p_text(test.adjusted)}"


def _p_text(p_value: float) -> str:
    text = p_value_text(p_value)
    return f"below {text[1:]}" if text.startswith("<") else text


def _characteristics(outcome: Outcome) -> str:
    sizes = outcome.sizes
    log = f"{outcome.data} ({sizes.mean_length:.1f} interactions a user, {sizes.density:.3%} of all pairs)"
    if _share_of_best(outcome) is None:
        return f"{log}: GSRec was not run beside another model that found anything."
    ordered = sorted(outcome.headline, key=lambda model: -outcome.headline[model])
    place, rival = ordered.index(OWN_MODEL) + 1, _best_rival(outcome)
    return (
        f"{log}: NDCG@10 {outcome.headline[OWN_MODEL]:.4f}, place {place} of {len(ordered)}, "
        f"{_share_of_best(outcome):.0%} of the best other model's ({rival}, {outcome.headline[rival]:.4f})."
    )


def _characteristics_verdict(outcomes: Sequence[Outcome]) -> str:
    shares = {outcome.data: share for outcome in outcomes if (share := _share_of_best(outcome)) is not None}
    if len(shares) < 2:
        return "Not answered: it takes runs of GSRec and another model on two data sets."
    if len({frozenset(outcome.headline) for outcome in outcomes if outcome.data in shares}) > 1:
        return "Not answered yet: the models run beside GSRec are not the same on both data sets."
    best, *_, worst = sorted(shares, key=lambda data: -shares[data])
    ends = f"{shares[best]:.0%} of the best other model's NDCG@10 on {best}, {shares[worst]:.0%} on {worst}"
    if round(shares[best], 2) == round(shares[worst], 2):
        return f"Equally well: {ends}."
    return f"Better on {best}, measured by what the best other model reaches there: {ends}."


def _best_rival(outcome: Outcome) -> str:
    return max((model for model in outcome.headline if model != OWN_MODEL), key=lambda model: outcome.headline[model])


def _share_of_best(outcome: Outcome) -> float | None:
    if OWN_MODEL not in outcome.headline or len(outcome.headline) < 2:
        return None
    best = outcome.headline[_best_rival(outcome)]
    return outcome.headline[OWN_MODEL] / best if best else None
