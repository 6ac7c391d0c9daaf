"""The trials of a study, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trial:
    """A training with drawn settings.

    Attributes:
        number: from 0. The first one that ended is what would be trained without tuning.
        state: `complete`, or `pruned`: given up.
        validation: the best of what is tuned for that it reached.
        settings: what was drawn, by `section.key`.
        error: why the training could not go on.
        seconds: it took.
    """

    number: int
    state: str
    validation: float
    settings: Mapping[str, Any]
    error: str | None = None
    seconds: float = 0.0

    @property
    def told(self) -> str:
        """The settings in one line, without their sections."""
        return ", ".join(f"{key.partition('.')[2]}={value}" for key, value in self.settings.items())
