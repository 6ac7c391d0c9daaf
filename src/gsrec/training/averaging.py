"""An exponential average of the weights: judged and kept instead of the last ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

RISING = 10
"""The average begins short: it reaches back about a tenth of the steps so far, until it is as long as it is to be."""


class Averaging:
    """What stays of the average at every step is `share`, the rest comes from the new weights.

    At the start less stays, (t - 1) / (t - 1 + RISING) at step t, so that short trainings do not keep their beginning.

    A table of which a step changes some rows only is averaged in those rows only: what the others were to become by
    then is worked out when they change again, or are looked at. A row that stays w has the average
    w + kept (average - w), where `kept` is the product of what stays at each of the steps.
    """

    def __init__(self, model: nn.Module, share: float, *, by_rows: Iterable[Tensor] = ()) -> None:
        """Start from the weights after the first step; `by_rows` are parameters whose gradients are sparse."""
        self.share = share
        self._risen = int((1 + (RISING - 1) * share) / (1 - share))  # the last step of the start
        self.weights = list(model.parameters())
        self.averages = [weight.detach().clone() for weight in self.weights]
        tables = list(by_rows)
        self._settled = [
            torch.zeros(len(weight), dtype=torch.int64) if any(weight is table for table in tables) else None
            for weight in self.weights
        ]
        self.steps = 0

    def tensors(self) -> dict[str, Tensor]:
        """All of it but the number of steps, by name."""
        settled = {f"settled.{place}": rows for place, rows in enumerate(self._settled) if rows is not None}
        return {f"average.{place}": average for place, average in enumerate(self.averages)} | settled

    def restore(self, tensors: Mapping[str, Tensor], steps: int) -> None:
        """Go on from what `tensors` gave after so many steps."""
        for name, own in self.tensors().items():
            own.copy_(tensors[name])
        self.steps = steps

    @contextmanager
    @torch.no_grad()
    def step(self) -> Iterator[None]:
        """Average what a step of the optimizer, taken inside, does to the weights."""
        touched = [
            weight.grad.coalesce().indices()[0] if settled is not None and weight.grad is not None else None
            for weight, settled in zip(self.weights, self._settled, strict=True)
        ]
        for place, rows in enumerate(touched):
            if rows is not None:
                self._settle(place, rows)
        yield
        self.steps += 1
        new = 1 - min(self.share, (self.steps - 1) / (self.steps - 1 + RISING))
        for average, weight, settled in zip(self.averages, self.weights, self._settled, strict=True):
            if settled is None:
                average.lerp_(weight, new)
        for place, rows in enumerate(touched):
            settled = self._settled[place]
            if rows is not None and settled is not None:
                average = self.averages[place]
                average[rows] = average[rows].lerp_(self.weights[place][rows], new)
                settled[rows] = self.steps

    def _settle(self, place: int, rows: Tensor) -> None:
        """Work out the average that rows have by now."""
        settled = self._settled[place]
        if settled is not None:
            average, weight = self.averages[place][rows], self.weights[place][rows]
            kept = (self._log_kept(torch.tensor(self.steps)) - self._log_kept(settled[rows])).exp().to(weight.dtype)
            self.averages[place][rows] = weight.lerp(average, kept[:, None])
            settled[rows] = self.steps

    def _log_kept(self, steps: Tensor) -> Tensor:
        """The logarithm, but for a constant, of what is left of the first weights after so many steps."""
        rising = steps.clamp(1, self._risen).double()
        return rising.lgamma() - (rising + RISING).lgamma() + (steps.clamp(min=1) - rising) * math.log(self.share)

    @contextmanager
    @torch.no_grad()
    def shown(self) -> Iterator[None]:
        """The model with the average as its weights, for as long as this is open."""
        for place, settled in enumerate(self._settled):
            if settled is not None:
                self._settle(place, torch.arange(len(settled)))
        moving = [weight.clone() for weight in self.weights]
        self._put(self.averages)
        try:
            yield
        finally:
            self._put(moving)

    def _put(self, values: list[Tensor]) -> None:
        for weight, value in zip(self.weights, values, strict=True):
            weight.copy_(value)
