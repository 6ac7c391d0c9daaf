"""The per-user results of one run: a rank for every judged target, in one safetensors file.

Legend: M targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from gsrec.errors import DataError
from gsrec.files import replacing

RANKS_FILE = "ranks.safetensors"
"""The file's name within a run's folder."""

FIELDS = ("users", "ranks", "history_lengths", "target_popularity")


@dataclass(frozen=True, eq=False)
class UserRanks:
    """Where a run's ranking placed every target.

    Attributes:
        users: (M,) int64, user indices; a user stands here once for every target of theirs.
        ranks: (M,) int64, from 1, ties counted against the model.
        history_lengths: (M,) int64, events before the target.
        target_popularity: (M,) int64, how often the target is in the training events; 0 is a cold item.
    """

    users: np.ndarray
    ranks: np.ndarray
    history_lengths: np.ndarray
    target_popularity: np.ndarray

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        sizes = {name: getattr(self, name).shape for name in FIELDS}
        if len(set(sizes.values())) != 1 or self.users.ndim != 1:
            raise DataError(f"the arrays of a run must be (M,), all of one length, found {sizes}")
        if self.ranks.min(initial=1) < 1:
            raise DataError(f"ranks count from 1, found {self.ranks.min()}")

    def __repr__(self) -> str:
        """Print the sizes."""
        return f"UserRanks({self.users.size:,} targets of {np.unique(self.users).size:,} users)"


def write_ranks(path: Path, ranks: UserRanks) -> None:
    """Write a run's per-user results, the whole file or nothing.

    Raises:
        DataError: if the file cannot be written.
    """
    tensors = {name: np.ascontiguousarray(getattr(ranks, name), dtype=np.int32) for name in FIELDS}
    with replacing(path) as new:
        new.write_bytes(save(tensors))


def read_ranks(path: Path) -> UserRanks:
    """Read a run's per-user results.

    Raises:
        DataError: if the file is missing, damaged or lacks an array.
    """
    try:
        tensors = load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read as a run's ranks: {error}. Run the model again.") from error
    missing = [name for name in FIELDS if name not in tensors]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}: found {sorted(tensors)}. Run the model again.")
    return UserRanks(**{name: tensors[name].astype(np.int64) for name in FIELDS})
