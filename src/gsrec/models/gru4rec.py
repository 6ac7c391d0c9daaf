"""GRU4Rec: a recurrent layer over the history (Hidasi et al., ICLR 2016).

Legend: B batch, L length, D hidden, V items.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from gsrec.description import Description
from gsrec.models.blocks import drop, embedding
from gsrec.models.config import Layers, Share, Size, Temperature
from gsrec.models.protocols import State, Step
from gsrec.models.recurrence import Cell, Recurrence
from gsrec.models.scores import Cosines, newest_hidden, scores_of


class GRU4RecConfig(Description):
    """The size of a GRU4Rec. A `recurrent_size` unlike `embedding_size` is projected back for the tied scores.

    Attributes:
        max_length: the most inputs of a training row; histories of any length are judged and streamed whole.
        temperature: scores are cosines, divided by it, plus the bias; 0: plain products, plus the bias.
    """

    name: Literal["gru4rec"] = "gru4rec"
    embedding_size: Size = 64
    recurrent_size: Size = 128
    num_recurrent_layers: Layers = 1
    cell: Cell = "gru"
    max_length: Size = 200
    dropout: Share = 0.2
    temperature: Temperature = 0.0


class GRU4Rec(nn.Module):
    """Item embeddings, a recurrent layer, a projection, then scores by the item embeddings and a bias."""

    def __init__(self, num_items: int, config: GRU4RecConfig) -> None:
        """Make a model of `num_items` items with new weights."""
        super().__init__()
        size = config.embedding_size
        self.num_items = num_items
        self.max_length: int | None = None
        self.max_events: int | None = None
        self.max_row = config.max_length + 1
        self.items = embedding(num_items + 1, size, std=size**-0.5)  # no norm raises smaller inputs to the gates
        self.bias = nn.Parameter(self.items.weight.new_zeros(num_items + 1))
        self.dropout = config.dropout
        self.recurrence = Recurrence(
            size,
            config.recurrent_size,
            cell=config.cell,
            num_layers=config.num_recurrent_layers,
            dropout=config.dropout,
        )
        self.out_projection = nn.Linear(config.recurrent_size, size)
        self.cosines = Cosines(config.temperature)

    def encode(self, items: Tensor) -> Tensor:
        """Hidden vectors (B, L, D) of items (B, L) int64; position t knows nothing of what comes after t."""
        hidden = drop(self.items(items), self.dropout, self.training)
        hidden = drop(self.recurrence(hidden), self.dropout, self.training)
        return self.cosines.of_hidden(self.out_projection(hidden))

    def start(self, batch: int) -> State:
        """The state before the first event: that of the recurrence."""
        return State(torch.zeros(batch, dtype=torch.int64), (self.recurrence.start(batch),))

    def stepper(self) -> Step:
        """What takes one event further."""
        recur, items, project = self.recurrence.stepper(), self.items.weight, self.out_projection
        pointed = self.cosines.of_hidden

        def step(state: State, taken: Tensor) -> tuple[State, Tensor]:
            kept, hidden = recur(state.parts[0], items[taken])
            return State(state.events + 1, (kept,)), pointed(project(hidden))

        return step

    @property
    def item_weights(self) -> Tensor:
        """(V + 1, D), the item embeddings, or their directions."""
        return self.cosines.of_items(self.items.weight)

    @property
    def item_bias(self) -> Tensor | None:
        """(V + 1,), learned."""
        return self.bias

    def score(self, items: Tensor) -> Tensor:
        """Scores (B, V + 1) of what follows the histories (B, L) int64."""
        return scores_of(self, newest_hidden(self, items))
