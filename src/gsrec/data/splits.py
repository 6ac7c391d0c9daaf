"""Train, validation and test as ranges of every user's history. Nothing is copied.

Legend: U users, M targets.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np

from gsrec.data.sequences import Sequences
from gsrec.errors import ConfigError, DataError

Part = Literal["validation", "test"]
TargetRule = Literal["first", "last", "all"]


@dataclass(frozen=True, eq=False)
class Targets:
    """Held-out events, each to be predicted from all earlier events of its user.

    Attributes:
        users: (M,) int64, user indices.
        starts: (M,) int64, where the user's history starts in `Sequences.items`.
        positions: (M,) int64, where the target stands in `Sequences.items`; the history ends just before.
    """

    users: np.ndarray
    starts: np.ndarray
    positions: np.ndarray

    def __len__(self) -> int:
        """The number of targets M."""
        return int(self.users.size)

    @property
    def history_lengths(self) -> np.ndarray:
        """(M,) int64, how many events are before each."""
        return np.asarray(self.positions - self.starts)

    def at(self, places: np.ndarray) -> Targets:
        """Some of them: those at these places (n,) int64."""
        return Targets(self.users[places], self.starts[places], self.positions[places])


@dataclass(frozen=True, eq=False)
class Split:
    """Every user's history cut in three: train, then validation, then test.

    Attributes:
        sequences: the histories.
        train_ends: (U,) int64, user u trains on `items[offsets[u]:train_ends[u]]`.
        validation_ends: (U,) int64, validation is up to here, test from here to the user's last event.
        rule: which events of a held-out range are targets: its first, its last, or all.
        name: how the split is called in results.
        by_time: whether the cuts are moments, the same for all users.
    """

    sequences: Sequences
    train_ends: np.ndarray
    validation_ends: np.ndarray
    rule: TargetRule = "last"
    name: str = "leave-one-out"
    by_time: bool = False

    def __post_init__(self) -> None:
        """Check that the cuts lie in order within every user's history."""
        starts, ends = self.sequences.offsets[:-1], self.sequences.offsets[1:]
        bounds = (starts, self.train_ends, self.validation_ends, ends)
        if any((left > right).any() for left, right in pairwise(bounds)):
            raise DataError("a split must cut every history in order: train, validation, test")

    def __repr__(self) -> str:
        """Print the sizes."""
        return (
            f"Split(name={self.name!r}, train={self.num_train:,} events, "
            f"validation={len(self.targets('validation')):,} targets, test={len(self.targets('test')):,} targets)"
        )

    @cached_property
    def cuts(self) -> str:
        """SHA-256 over where training ends and which events are targets: equal for equal cuts, however made."""
        digest, targets = hashlib.sha256(), (self.targets("validation"), self.targets("test"))
        for places in (self.train_ends, *(of_part.positions for of_part in targets)):
            digest.update(places.astype("<i8").tobytes())
            digest.update(b"\x1f")
        return digest.hexdigest()

    @property
    def num_train(self) -> int:
        """The number of events to train on."""
        return int((self.train_ends - self.sequences.offsets[:-1]).sum())

    def training_histories(self) -> tuple[np.ndarray, np.ndarray]:
        """The item indices (N,) int32 of all training events, user after user, and how many each user has (U,)."""
        return self.sequences.items[self.train_mask()], self.train_ends - self.sequences.offsets[:-1]

    def train_mask(self) -> np.ndarray:
        """(N,) bool, true where an event is for training."""
        starts, ends = self.sequences.offsets[:-1], self.sequences.offsets[1:]
        lengths = np.stack([self.train_ends - starts, ends - self.train_ends], axis=1)
        return np.repeat(np.tile([True, False], len(starts)), lengths.ravel())

    def train_counts(self) -> np.ndarray:
        """(V + 1,) int64, how many training events every item has."""
        return np.bincount(self.sequences.items[self.train_mask()], minlength=self.sequences.num_items + 1)

    def known_until(self) -> int | None:
        """Unix seconds up to which a model that trains on it knows everything, but for users' last events.

        The newest event to train on if the cuts are moments, else the newest of all; None without clock times.
        """
        times = self.sequences.timestamps
        if times is None:
            return None
        return int(times[self.train_mask()].max() if self.by_time else times.max())

    def targets(self, part: Part) -> Targets:
        """The events of `part` to be predicted; users without any are left out."""
        if part == "validation":
            starts, ends = self.train_ends, self.validation_ends
        else:
            starts, ends = self.validation_ends, self.sequences.offsets[1:]
        first_events = self.sequences.offsets[:-1]
        starts = np.maximum(starts, np.minimum(first_events + 1, ends))  # a first event has no history to go by
        counts = ends - starts
        users = np.flatnonzero(counts > 0)
        if self.rule == "all":
            repeated = np.repeat(users, counts[users])
            within = np.arange(repeated.size) - np.repeat(np.cumsum(counts[users]) - counts[users], counts[users])
            return Targets(repeated, first_events[repeated], starts[repeated] + within)
        positions = starts[users] if self.rule == "first" else ends[users] - 1
        return Targets(users, first_events[users], positions)


def leave_one_out(sequences: Sequences) -> Split:
    """Hold out every user's last event for test and the one before for validation (the thesis's split).

    Users with fewer than three events are trained on whole and not judged.

    Raises:
        DataError: if every user has fewer than three events.
    """
    return last_n(sequences, 1)


def last_n(sequences: Sequences, n: int) -> Split:
    """Hold out every user's last n events for test and the n before for validation; each is a target.

    Users with fewer than 2 n + 1 events are trained on whole and not judged.

    Raises:
        ConfigError: if n is not positive.
        DataError: if every user is too short.
    """
    if n < 1:
        raise ConfigError(f"last-n needs n of at least 1, found {n}")
    judged = sequences.lengths >= 2 * n + 1
    if not judged.any():
        longest = int(sequences.lengths.max(initial=0))
        raise DataError(
            f"every user of {sequences.name} is too short: holding out {n} + {n} events needs users with at least "
            f"{2 * n + 1} events, the longest has {longest}. Give more data or hold out fewer events."
        )
    ends = sequences.offsets[1:]
    name = "leave-one-out" if n == 1 else f"last-{n}"
    return Split(sequences, ends - 2 * n * judged, ends - n * judged, rule="all", name=name)


def global_temporal(
    sequences: Sequences, *, validation: float = 0.8, test: float = 0.9, rule: TargetRule = "last"
) -> Split:
    """Cut all histories at two moments in time, so that no training event is later than a held-out one.

    Args:
        sequences: histories with timestamps.
        validation: the share of events (0 to 1) up to whose moment all is training.
        test: the share of events (0 to 1) after whose moment all is test.
        rule: which events of a user's held-out range are targets.

    Raises:
        ConfigError: unless 0 < validation < test < 1.
        DataError: if the log has no clock times, or nothing is left to train on or to judge by.
    """
    if not 0 < validation < test < 1:
        raise ConfigError(f"a temporal split needs 0 < validation < test < 1, found {validation} and {test}")
    times = sequences.timestamps
    if times is None:
        raise DataError(
            f"{sequences.name} has no clock times, which a temporal split needs. Use leave-one-out instead."
        )
    moments = np.quantile(times, [validation, test], method="inverted_cdf")
    first, second = moments.tolist()
    return at_moments(sequences, first, second, rule=rule, name=f"temporal-{validation:g}-{test:g}")


def at_moments(
    sequences: Sequences, training: float, validation: float, *, rule: TargetRule = "last", name: str = "at-moments"
) -> Split:
    """Cut all histories at two moments, in Unix seconds: up to which all is training, and up to which validation.

    Raises:
        DataError: if the log has no clock times, or nothing is left to train on or to judge by.
    """
    cuts = ends_at(sequences, training), ends_at(sequences, validation)
    split = Split(sequences, *cuts, rule=rule, name=name, by_time=True)
    if not (split.num_train and len(split.targets("validation")) and len(split.targets("test"))):
        raise DataError(
            f"the split {name} of {sequences.name} leaves training, validation or test empty: it needs events of users "
            "with earlier ones before its first moment, between both and after the second"
        )
    return split


def ends_at(sequences: Sequences, moment: float) -> np.ndarray:
    """(U,) int64, one past every user's last event up to a moment, in Unix seconds.

    Raises:
        DataError: if the log has no clock times.
    """
    if sequences.timestamps is None:
        raise DataError(f"{sequences.name} has no clock times: what was before a moment is not known")
    before = sequences.owners[sequences.timestamps <= moment]
    ends: np.ndarray = sequences.offsets[:-1] + np.bincount(before, minlength=sequences.num_users)
    return ends
