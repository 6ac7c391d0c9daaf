"""Small logs whose item ids are their item indices."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import pytest

from gsrec.data import Sequences, Vocabulary


def _sequences(
    histories: Sequence[Sequence[int]], *, num_items: int, times: Sequence[Sequence[int]] | None = None
) -> Sequences:
    return Sequences(
        items=np.array([item for history in histories for item in history], dtype=np.int32),
        offsets=np.cumsum([0, *(len(history) for history in histories)]),
        vocabulary=Vocabulary.of(range(1, num_items + 1)),
        user_ids=pl.Series("user_id", range(len(histories)), dtype=pl.Int64),
        timestamps=None if times is None else np.array([time for row in times for time in row], dtype=np.int64),
    )


@pytest.fixture(scope="session")
def sequences_of() -> Callable[..., Sequences]:
    """Make sequences: `sequences_of(histories, num_items=V, times=None)`."""
    return _sequences
