"""What in a log and a split makes its numbers less than they seem: told with every result.

Legend: N interactions, M targets, V items.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gsrec.data.sequences import Sequences
from gsrec.data.splits import Part, Split, Targets, global_temporal, last_n
from gsrec.errors import DataError


@dataclass(frozen=True)
class Audit:
    """Shares (0 to 1) of a part's targets; None where the log has no clock times to tell it.

    Attributes:
        leakage: older than some training event of any user, so that training has seen the target's future.
        cold: of an item that no training event is of; counted as misses.
        time_ties: at the same time as the user's event before or after, so that only the order of the file
            tells which of them is the target.
        repeats: of an item that the user's history holds already; misses where seen items are filtered.
    """

    leakage: float | None
    cold: float
    time_ties: float | None
    repeats: float


def audit(split: Split, part: Part) -> Audit:
    """Measure what a reader of the results should know of the targets of `part`."""
    targets = split.targets(part)
    items = split.sequences.items[targets.positions]
    return Audit(
        leakage=_leakage(split, targets),
        cold=_share(split.train_counts()[items] == 0),
        time_ties=_time_ties(split.sequences, targets),
        repeats=split.sequences.share_of_repeats(targets.positions),
    )


@dataclass(frozen=True)
class SplitAudit:
    """One way to split a log: its name, how many test targets it has, and what is to be known of them."""

    split: str
    targets: int
    audit: Audit


def audit_log(sequences: Sequences, *, held_out: int = 1) -> tuple[list[SplitAudit], dict[str, str]]:
    """Audit a log before anything is trained, split in every way there is.

    Args:
        sequences: the log.
        held_out: of last-n, events a user in each of validation and test; 1 is leave-one-out.

    Returns:
        The audits, and for a split that the log cannot be cut by, its name and why.
    """
    ways: dict[str, Callable[[], Split]] = {
        "leave-one-out" if held_out == 1 else f"last-{held_out}": lambda: last_n(sequences, held_out),
        "temporal": lambda: global_temporal(sequences),
    }
    audits, left_out = [], {}
    for name, cut in ways.items():
        try:
            split = cut()
        except DataError as error:
            left_out[name] = str(error)
            continue
        audits.append(SplitAudit(split.name, len(split.targets("test")), audit(split, "test")))
    return audits, left_out


def _leakage(split: Split, targets: Targets) -> float | None:
    times = split.sequences.timestamps
    if times is None:
        return None
    newest = times[split.train_mask()].max(initial=np.iinfo(np.int64).min)
    return _share(times[targets.positions] < newest)


def _time_ties(sequences: Sequences, targets: Targets) -> float | None:
    ties = sequences.time_ties
    if ties is None:
        return None
    return _share(ties[targets.positions] | np.append(ties, False)[targets.positions + 1])


def _share(flags: np.ndarray) -> float:
    return float(flags.sum() / max(1, flags.size))
