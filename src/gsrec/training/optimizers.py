"""Optimizers: dense ones for most weights, one that learns by rows for large tables of which a step sees little."""

from __future__ import annotations

import inspect
from typing import TypeVar

import torch
from torch import nn

from gsrec.models.protocols import SequenceEncoder
from gsrec.training.config import OVER_CATALOGUE, TrainingConfig

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)


def tables_by_rows(tables: list[nn.Embedding], model: SequenceEncoder, config: TrainingConfig) -> list[nn.Embedding]:
    """The tables of which a step learns only the rows that it looked at; they are told to have sparse gradients.

    These are item embeddings under a loss with negatives that come straight out of them, where nothing else is due to
    every row at every step.
    """
    due_to_all_rows = config.weight_decay or config.embedding_l2 or config.clip_norm
    if config.loss in OVER_CATALOGUE or due_to_all_rows:
        return []
    chosen = [table for table in tables if table.weight is model.item_weights]
    for table in chosen:
        table.sparse = True
    return chosen


def optimizers(module: nn.Module, by_rows: list[nn.Embedding], config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """The optimizers of all weights: Adam or AdamW, and for the tables `by_rows` Adam that leaves other rows alone."""
    rows = [table.weight for table in by_rows]
    others = [weight for weight in module.parameters() if not any(weight is table for table in rows)]
    kind = _without_compiler(torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW)
    dense = kind(others, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
    return [dense, _without_compiler(torch.optim.SparseAdam)(rows, lr=config.learning_rate)] if rows else [dense]


def _without_compiler(kind: type[Kind]) -> type[Kind]:
    """The same optimizer, that does not load PyTorch's compiler, two seconds of every start, to keep out of its way."""
    guarded = ("add_param_group", "load_state_dict", "state_dict", "step", "zero_grad")
    bare = {name: inspect.unwrap(getattr(kind, name)) for name in guarded}
    return type(kind.__name__, (kind,), {**bare, "step": torch.no_grad()(bare["step"])})
