"""A trained model for a catalogue that has grown: what it knows stays, and new items begin where their neighbours are.

Legend: B batch, L length, V items before, W items now, D width of a row, P pairs, N events, U users.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gsrec.models import Model, ModelConfig, build_model
from gsrec.models.neighbours import near_pairs

ROUNDS = 2
"""How often new items are placed: in the second round by those placed in the first, too."""


def grown(
    model: Model,
    config: ModelConfig,
    num_items: int,
    items: np.ndarray,
    lengths: np.ndarray,
    *,
    learned: np.ndarray | None = None,
    seed: int = 0,
) -> Model:
    """The same model for more items; all that it has learned from keep their index, their rows and so their scores.

    A new item's row, in every table that has one an item, is the mean of the rows of those it stands near to in
    histories, and so is that of an old item it has learned nothing from. One that no history has begins as in a new
    model, or stays as it is.

    Args:
        model: trained on the first V items.
        config: what builds it.
        num_items: W, at least V.
        items: of the training histories, (N,) of item indices 1..W, user after user, oldest first.
        lengths: of the training histories, (U,).
        learned: (V + 1,) bool, the items that the model has learned from; None: all.
        seed: of the rows of items that stand near to nothing.
    """
    new = build_model(config, num_items=num_items, seed=seed)
    before, state = model.state_dict(), new.state_dict()
    first_new, extra = model.num_items + 1, num_items - model.num_items
    known = np.zeros(num_items + 1, dtype=bool)
    known[:first_new] = True if learned is None else learned
    near, far = _neighbours_of_new(items, lengths, known)
    of_items = _tables_of_items(model, config)
    for name, values in state.items():
        old = before[name]
        if name not in of_items:
            state[name] = old
            continue
        values[:first_new] = old[:first_new]
        values[first_new + extra :] = old[first_new:]  # such as a [MASK], behind the items
        _place(values, near, far, torch.from_numpy(known))
    new.load_state_dict(state)
    return new.eval()


def _tables_of_items(model: Model, config: ModelConfig) -> set[str]:
    """The names of the tables that have a row an item: those that are longer in a model of one more."""
    with torch.device("meta"):
        longer = build_model(config, num_items=model.num_items + 1).state_dict()
    return {name for name, values in model.state_dict().items() if values.shape != longer[name].shape}


def _neighbours_of_new(items: np.ndarray, lengths: np.ndarray, known: np.ndarray) -> tuple[Tensor, Tensor]:
    """All pairs of an item that is not known (W + 1,) and another one near to it: two of (P,) int64."""
    earlier, later, _ = near_pairs(items, lengths, of=~known)
    one, other = np.concatenate([earlier, later]), np.concatenate([later, earlier])
    wanted = ~known[one] & (one != other)
    return torch.from_numpy(one[wanted]), torch.from_numpy(other[wanted])


def _place(values: Tensor, near: Tensor, far: Tensor, known: Tensor) -> None:
    """Put the rows (.., D) of items not known (W + 1,) where the means of their neighbours are; others stay."""
    placed = torch.zeros(len(values), dtype=torch.bool)
    placed[1 : len(known)] = known[1:]
    for _ in range(ROUNDS):
        useful = placed[far]
        sums = torch.zeros_like(values).index_add_(0, near[useful], values[far[useful]])
        counts = torch.bincount(near[useful], minlength=len(values))
        found = counts > 0
        values[found] = sums[found] / counts[found].reshape(-1, *[1] * (values.dim() - 1))
        placed |= found
