"""Numbers and conditions in words, the same in every table."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from gsrec.reporting.comparison import Comparison
from gsrec.reporting.results import ProtocolRecord, RunResult

AUDIT_PHRASES = {
    "leakage": "older than some training event",
    "cold": "of an item never seen in training (misses)",
    "time_ties": "tied in time with a neighbour",
    "repeats": "of an item the user had before",
    "few_candidates": "with fewer candidates than asked for",
}

COMMON = ("leave-one-out", "full catalogue")
"""The split and the candidates that are not named where several comparisons stand together."""


def conditions(comparison: Comparison) -> tuple[str, str]:
    """What stands above every table: the data and the protocol, in two sentences."""
    data, protocol = comparison.data, comparison.protocol
    sizes = f"{data.num_users:,} users, {data.num_items:,} items, {data.num_interactions:,} interactions"
    seen = _seen_phrase(protocol)
    return (
        f"Data: {data.name} ({sizes}; fingerprint {data.fingerprint[:12]}).",
        f"Protocol: {comparison.split} split, {protocol.part} part, {comparison.num_users_evaluated:,} users judged; "
        f"candidates: {candidates_phrase(protocol.candidates)}; {seen}; ties count {protocol.ties}.",
    )


def headline(comparison: Comparison) -> str:
    """What tells one table from the others in its title: the data, the split and the candidates."""
    return f"{comparison.data.name}, {comparison.split}, {_candidates_in_short(comparison)}"


def short_headline(comparison: Comparison) -> str:
    """What tells one comparison from others: the data, and what is not `COMMON` of split and candidates."""
    about = (comparison.split, _candidates_in_short(comparison))
    return ", ".join([comparison.data.name, *(one for one in about if one not in COMMON)])


def sampling_warning(comparison: Comparison) -> tuple[str, ...]:
    """What must be said where targets were ranked among sampled negatives; nothing for the full catalogue."""
    if comparison.protocol.candidates == "full":
        return ()
    return (
        "Metrics of sampled negatives need not keep the order that models have on the full catalogue: "
        "compare them with numbers of the same protocol only.",
    )


def conditions_in_short(run: RunResult) -> str:
    """The protocol in the few words that fit on a plot."""
    candidates = candidates_phrase(run.protocol.candidates)
    return f"{run.split}, {run.num_users_evaluated:,} users, {candidates}, {_seen_phrase(run.protocol)}"


def candidates_phrase(candidates: str) -> str:
    """What a target is ranked among.

    >>> candidates_phrase("popularity:100")
    'the target and 100 negatives sampled by popularity'
    """
    if candidates == "full":
        return "the full catalogue"
    kind, _, count = candidates.partition(":")
    if kind == "given":
        return f"the target and up to {count} negatives that were brought"
    how = "by popularity" if kind == "popularity" else "uniformly" if kind == "uniform" else f"by {kind}"
    return f"the target and {count} negatives sampled {how}"


def audit_sentence(audit: Mapping[str, JsonValue]) -> str:
    """The audit in one sentence; a share that the log cannot tell is said to be unknown.

    >>> audit_sentence({"leakage": None, "time_ties": 0.006})
    'Audit, of the targets: an unknown share older than some training event; 0.6% tied in time with a neighbour.'
    """
    if not audit:
        return "Audit: none was recorded."
    told = [f"{_share(value)} {AUDIT_PHRASES.get(name, name.replace('_', ' '))}" for name, value in audit.items()]
    return f"Audit, of the targets: {'; '.join(told)}."


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(3.21), duration(45), duration(125), duration(7260)
    ('3.2 s', '45 s', '2 min 5 s', '2 h 1 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def p_value_text(p_value: float) -> str:
    """A p-value with four decimals.

    >>> p_value_text(0.0321), p_value_text(0.00001)
    ('0.0321', '<0.0001')
    """
    return "<0.0001" if p_value < 0.0001 else f"{p_value:.4f}"


def list_in_words(words: list[str]) -> str:
    """Words as a list in a sentence.

    >>> list_in_words(["POP", "SASRec", "GRU4Rec"])
    'POP, SASRec and GRU4Rec'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _candidates_in_short(comparison: Comparison) -> str:
    among = comparison.protocol.candidates
    kind, _, count = among.partition(":")
    if among == "full":
        return "full catalogue"
    return f"{count} by {kind}" if kind == "popularity" else f"{count} {kind}"


def _seen_phrase(protocol: ProtocolRecord) -> str:
    if protocol.filter_seen:
        return "seen items are no candidates"
    return "seen items are candidates too" if protocol.candidates == "full" else "only seen targets are candidates too"


def _share(value: JsonValue) -> str:
    if value is None:
        return "an unknown share"
    return f"{value:.1%}" if isinstance(value, float | int) else str(value)
