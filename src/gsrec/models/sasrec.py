"""SASRec: self-attention over the history (Kang and McAuley, ICDM 2018).

Legend: B batch, L length, D hidden, V items.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from gsrec.description import Description
from gsrec.models.attention import Attention
from gsrec.models.blocks import (
    Activation,
    Block,
    FeedForward,
    Positions,
    blocks_stepper,
    drop,
    embedding,
    normalizer,
    start_blocks,
    through,
    through_at,
)
from gsrec.models.config import Layers, Share, Size, Temperature
from gsrec.models.protocols import State, Step
from gsrec.models.scores import Cosines, newest, scores_of


class SASRecConfig(Description):
    """The size of a SASRec.

    Attributes:
        feed_forward_size: in multiples of `embedding_size`; the paper has 1.
        temperature: scores are cosines, divided by it; 0: plain products, as in the paper.
    """

    name: Literal["sasrec"] = "sasrec"
    embedding_size: Size = 64
    num_blocks: Layers = 2
    num_heads: Size = 1
    max_length: Size = 200
    dropout: Share = 0.2
    feed_forward: bool = True
    feed_forward_size: Size = 1
    activation: Activation = "relu"
    temperature: Temperature = 0.0


class SASRec(nn.Module):
    """Item and position embeddings, causal attention blocks, then scores by the item embeddings themselves."""

    def __init__(self, num_items: int, config: SASRecConfig) -> None:
        """Make a model of `num_items` items with new weights."""
        super().__init__()
        size = config.embedding_size
        self.num_items = num_items
        self.max_length: int | None = config.max_length
        self.max_row = config.max_length + 1
        self.max_events: int | None = config.max_length  # then all positions would move
        self.items = embedding(num_items + 1, size)
        self.scale = size**0.5  # as in the paper's code: an item must outweigh its position, a rare one too
        self.positions = Positions(config.max_length, size)
        self.dropout = config.dropout
        self.blocks = nn.ModuleList(_block(config) for _ in range(config.num_blocks))
        self.norm = nn.LayerNorm(size)
        self.cosines = Cosines(config.temperature)

    def encode(self, items: Tensor) -> Tensor:
        """Hidden vectors (B, L, D) of items (B, L) int64; position t knows nothing of what comes after t."""
        return self.cosines.of_hidden(self.norm(through(self.blocks, self._embed(items))))

    def _embed(self, items: Tensor) -> Tensor:
        return drop(self.positions(self.items(items) * self.scale), self.dropout, self.training)

    def start(self, batch: int) -> State:
        """The state before the first event: keys and values of every block."""
        parts = start_blocks(self.blocks, batch, self.positions.weight.shape[0])
        return State(torch.zeros(batch, dtype=torch.int64), parts)

    def stepper(self) -> Step:
        """What takes one event further."""
        through_blocks, norm = blocks_stepper(self.blocks), normalizer(self.norm)
        items, scale, places, pointed = self.items.weight, self.scale, self.positions.weight, self.cosines.of_hidden

        def step(state: State, taken: Tensor) -> tuple[State, Tensor]:
            parts, hidden = through_blocks(state.parts, items[taken] * scale + places[state.events], state.events)
            return State(state.events + 1, parts), pointed(norm(hidden))

        return step

    @property
    def item_weights(self) -> Tensor:
        """(V + 1, D), the item embeddings, or their directions."""
        return self.cosines.of_items(self.items.weight)

    @property
    def item_bias(self) -> Tensor | None:
        """None."""
        return None

    def score(self, items: Tensor) -> Tensor:
        """Scores (B, V + 1) of what follows the histories (B, L) int64."""
        last = through_at(self.blocks, self._embed(items), newest(items))
        return scores_of(self, self.cosines.of_hidden(self.norm(last)))


def _block(config: SASRecConfig) -> Block:
    size, dropout = config.embedding_size, config.dropout
    inner_size = config.feed_forward_size * size
    return Block(
        Attention(size, config.num_heads),
        FeedForward(size, inner_size, activation=config.activation) if config.feed_forward else None,
        size=size,
        pre_norm=True,
        dropout=dropout,
    )
