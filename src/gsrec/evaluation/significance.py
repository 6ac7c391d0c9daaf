"""Whether one model is better than another by more than chance: paired over users, corrected for many tests.

Legend: U users, P tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gsrec.errors import ConfigError, DataError
from gsrec.evaluation.intervals import confidence_interval

SIGNIFICANT = 0.05
"""A p-value below this, corrected where there are several, is called significant."""

_BITS_AT_ONCE = 2**22


@dataclass(frozen=True)
class PairedTest:
    """Two models on the same users.

    Attributes:
        difference: the mean over users of the first minus the second.
        interval: its 95% interval, by normal approximation.
        p_value: of the randomisation test, two-sided: how often chance makes as large a difference.
    """

    difference: float
    interval: tuple[float, float]
    p_value: float


def paired_test(first: np.ndarray, second: np.ndarray, seed: int = 0, *, num_flips: int = 10_000) -> PairedTest:
    """Fisher's paired randomisation test: were the models alike, every user's difference could as well be its negative.

    The p-value is (1 + as large) / (1 + num_flips), over random changes of the signs of all differences; so it is
    never 0, and 1 where the models are equal for every user. Smucker, Allan and Carterette, A comparison of
    statistical significance tests for information retrieval evaluation, CIKM 2007.

    >>> first, second = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 1.0]), np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    >>> test = paired_test(first, second)
    >>> round(test.difference, 3), 0.05 < test.p_value < 0.08  # exactly: 2 of 32 ways
    (0.833, True)

    Args:
        first: (U,) float64, one value a user.
        second: (U,) float64, the same users' values in the same order.
        seed: of the sign changes.
        num_flips: how many times the signs are changed.

    Raises:
        DataError: unless both have the same users and two at least.
        ConfigError: if num_flips is not positive.
    """
    if first.shape != second.shape:
        raise DataError(f"a paired test needs the same users twice, found {first.size} and {second.size} values")
    if num_flips < 1:
        raise ConfigError(f"num_flips must be at least 1, found {num_flips}")
    differences = first - second
    return PairedTest(
        difference=float(differences.mean()) if differences.size else 0.0,
        interval=confidence_interval(differences),
        p_value=_p_value(differences, seed, num_flips),
    )


def _p_value(differences: np.ndarray, seed: int, num_flips: int) -> float:
    generator = np.random.default_rng(seed)
    differences = differences[differences != 0]  # (D,), the others' signs change nothing
    tolerance = 1e-12 * np.abs(differences).sum()  # sums that are equal but for rounding count as equal
    observed = abs(differences.sum()) - tolerance
    chunk = max(1, _BITS_AT_ONCE // max(1, differences.size))
    as_large = 0
    for start in range(0, num_flips, chunk):
        rows = min(chunk, num_flips - start)
        random_bytes = generator.integers(0, 256, size=(rows, -(-differences.size // 8)), dtype=np.uint8)
        flipped = np.unpackbits(random_bytes, axis=1, count=differences.size)  # (rows, D) of 0 and 1
        sums = differences.sum() - 2.0 * (flipped @ differences)
        as_large += int(np.count_nonzero(np.abs(sums) >= observed))
    return (1 + as_large) / (1 + num_flips)


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down correction: p-values that together err no more often than each alone would.

    The i-th smallest of P is multiplied by P - i + 1, and none comes out smaller than one before it, nor above 1.
    No p-values give none. Holm, A simple sequentially rejective multiple test procedure, 1979.

    >>> holm([0.01, 0.04, 0.03, 0.005])
    array([0.03, 0.06, 0.06, 0.02])

    Args:
        p_values: (P,) one a test, in any order.

    Returns:
        (P,) float64, the corrected p-values in the same order.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(values.size, 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(factors * values[order]))
    return corrected
