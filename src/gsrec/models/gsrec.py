"""GSRec: self-attention for the short term, feeding a recurrent layer for the long term (Eres, Aalborg 2025).

Legend: B batch, L length, D hidden, R recurrent size, S rows of the recurrence's state, V items.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from gsrec.description import Description
from gsrec.models.attention import Attention, projector
from gsrec.models.blocks import (
    Block,
    FeedForward,
    Positions,
    blocks_stepper,
    drop,
    embedding,
    normalizer,
    start_blocks,
    through,
)
from gsrec.models.config import Layers, Share, Size, Temperature
from gsrec.models.protocols import State, Step
from gsrec.models.recurrence import Cell, NoRecurrence, Recurrence, StepOfRecurrence
from gsrec.models.scores import Cosines, newest_hidden, scores_of


class GSRecConfig(Description):
    """The shape of a GSRec.

    Attributes:
        window: how many of the newest events attention sees, by distance; "all": all, by learned absolute positions.
        feed_forward: whether attention blocks have one (the thesis: no).
        cell: of the recurrence; "none": there is none, and attention alone feeds what follows.
        residual: whether the recurrence is normed and added to what attention found, and a feed-forward follows
            (the thesis: no, the recurrence replaces it).
        tied_weights: whether items are scored by their own embeddings (the thesis: no, by an output layer).
        temperature: scores are cosines of the hidden vector and the items' own, divided by it; 0: plain products.
        max_length: the most inputs of a training row. With a window, histories of any length are judged and streamed
            whole; without, the newest so many.
    """

    name: Literal["gsrec"] = "gsrec"
    embedding_size: Size = 64
    num_blocks: Layers = 2
    num_heads: Size = 2
    window: Size | Literal["all"] = 32
    feed_forward: bool = True
    cell: Cell | Literal["none"] = "gru"
    num_recurrent_layers: Layers = 1
    recurrent_size: Size = 128
    residual: bool = True
    tied_weights: bool = True
    temperature: Temperature = 0.0
    max_length: Size = 200
    dropout: Share = 0.2


class GSRec(nn.Module):
    """Embedding, attention blocks, recurrent layer, scores."""

    def __init__(self, num_items: int, config: GSRecConfig) -> None:
        """Make a model of `num_items` items with new weights."""
        super().__init__()
        size = config.embedding_size
        self.num_items = num_items
        self.config = config
        self.max_length: int | None = config.max_length if config.window == "all" else None
        self.max_events = self.max_length
        self.max_row = config.max_length + 1
        self.dropout = config.dropout
        self.cosines = Cosines(config.temperature)
        self.items = embedding(num_items + 1, size)
        self.scale = size**0.5  # as in SASRec
        self.positions = Positions(config.max_length, size) if config.window == "all" else nn.Identity()
        self.blocks = nn.ModuleList(_block(config) for _ in range(config.num_blocks))
        self.recurrence = ResidualRecurrence(config) if config.residual else ReplacingRecurrence(config)
        hidden_size = size if config.residual or config.cell == "none" else config.recurrent_size
        self.output = None if config.tied_weights else _output(hidden_size, num_items)
        fits = hidden_size == size or not config.tied_weights
        self.out_projection = nn.Identity() if fits else nn.Linear(hidden_size, size)

    def encode(self, items: Tensor) -> Tensor:
        """Hidden vectors (B, L, D) of items (B, L) int64; position t knows nothing of what comes after t."""
        embedded = self.items(items) * self.scale
        hidden = drop(self.positions(embedded), self.dropout, self.training)
        return self.cosines.of_hidden(self.out_projection(self.recurrence(through(self.blocks, hidden))))

    def start(self, batch: int) -> State:
        """The state before the first event: keys and values of every block, and the recurrence's state."""
        parts = start_blocks(self.blocks, batch, self.config.max_length)
        return State(torch.zeros(batch, dtype=torch.int64), (*parts, self.recurrence.start(batch)))

    def stepper(self) -> Step:
        """What takes one event further."""
        through_blocks, recur = blocks_stepper(self.blocks), self.recurrence.stepper()
        items, scale, project, pointed = self.items.weight, self.scale, self.out_projection, self.cosines.of_hidden
        places = self.positions.weight if isinstance(self.positions, Positions) else None

        def step(state: State, taken: Tensor) -> tuple[State, Tensor]:
            hidden = items[taken] * scale
            if places is not None:
                hidden = hidden + places[state.events]
            parts, hidden = through_blocks(state.parts[:-1], hidden, state.events)
            recurrent, hidden = recur(state.parts[-1], hidden)
            return State(state.events + 1, (*parts, recurrent)), pointed(project(hidden))

        return step

    @property
    def item_weights(self) -> Tensor:
        """(V + 1, D): embeddings, their directions, or the output layer's rows (without residual (V + 1, R))."""
        return self.cosines.of_items(self.items.weight if self.output is None else self.output.weight)

    @property
    def item_bias(self) -> Tensor | None:
        """(V + 1,), the output layer's, if there is one."""
        return None if self.output is None else self.output.bias

    def score(self, items: Tensor) -> Tensor:
        """Scores (B, V + 1) of what follows the histories (B, L) int64."""
        return scores_of(self, newest_hidden(self, items))


class ReplacingRecurrence(nn.Module):
    """The recurrence in the place of what attention found, after the norm that SASRec's blocks end with."""

    def __init__(self, config: GSRecConfig) -> None:
        """Make the norm and the recurrence."""
        super().__init__()
        self.norm = nn.LayerNorm(config.embedding_size)
        self.recurrence = _recurrence(config)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden (B, L, D) -> (B, L, R)."""
        recurrent: Tensor = self.recurrence(self.norm(hidden))
        return recurrent

    def start(self, batch: int) -> Tensor:
        """The recurrence's state (B, S, R) before the first event."""
        return self.recurrence.start(batch)

    def stepper(self) -> StepOfRecurrence:
        """What takes one event further: the recurrence's state (B, S, R), and hidden (B, D)."""
        norm, recur = normalizer(self.norm), self.recurrence.stepper()
        return lambda state, hidden: recur(state, norm(hidden))


class ResidualRecurrence(nn.Module):
    """The recurrence beside a straight way past it: x + W recur(norm x), then a feed-forward the same way."""

    def __init__(self, config: GSRecConfig) -> None:
        """Make the recurrence, its way back to size D, and the feed-forward."""
        super().__init__()
        size = config.embedding_size
        self.dropout = config.dropout
        self.recurrence = _recurrence(config)
        self.is_there = config.cell != "none"
        if self.is_there:
            self.recurrence_norm = nn.LayerNorm(size)
            self.out_projection = nn.Linear(config.recurrent_size, size)
        self.feed_forward_norm = nn.LayerNorm(size)
        self.feed_forward = FeedForward(size, 4 * size, activation="gelu")
        self.norm = nn.LayerNorm(size)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden (B, L, D) -> (B, L, D)."""
        if self.is_there:
            recurrent = self.out_projection(self.recurrence(self.recurrence_norm(hidden)))
            hidden = hidden + drop(recurrent, self.dropout, self.training)
        fed = self.feed_forward(self.feed_forward_norm(hidden))
        normed: Tensor = self.norm(hidden + drop(fed, self.dropout, self.training))
        return normed

    def start(self, batch: int) -> Tensor:
        """The recurrence's state (B, S, R) before the first event."""
        return self.recurrence.start(batch)

    def stepper(self) -> StepOfRecurrence:
        """What takes one event further: the recurrence's state (B, S, R), and hidden (B, D); without dropout."""
        feed_forward, feed_norm = self.feed_forward.applier(), normalizer(self.feed_forward_norm)
        add, norm = self._adder(), normalizer(self.norm)

        def step(state: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
            state, hidden = add(state, hidden)
            return state, norm(hidden + feed_forward(feed_norm(hidden)))

        return step

    def _adder(self) -> StepOfRecurrence:
        """What adds the recurrence to hidden (B, D) at one event."""
        recur = self.recurrence.stepper()
        if not self.is_there:
            return recur
        norm, project = normalizer(self.recurrence_norm), projector(self.out_projection)

        def add(state: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
            state, recurrent = recur(state, norm(hidden))
            return state, hidden + project(recurrent)

        return add


def _output(size: int, num_items: int) -> nn.Linear:
    """An output layer that starts from all items being equally likely.

    From scores around 0, binary cross-entropy over the catalogue first lowers all of them by whatever means, drives
    the recurrent states to their limits, and learns nothing from there.
    """
    layer = nn.Linear(size, num_items + 1)
    nn.init.constant_(layer.bias, -math.log(num_items))
    return layer


def _recurrence(config: GSRecConfig) -> Recurrence | NoRecurrence:
    if config.cell == "none":
        return NoRecurrence()
    return Recurrence(
        config.embedding_size,
        config.recurrent_size,
        cell=config.cell,
        num_layers=config.num_recurrent_layers,
        dropout=config.dropout,
    )


def _block(config: GSRecConfig) -> Block:
    size, heads, dropout = config.embedding_size, config.num_heads, config.dropout
    return Block(
        Attention(size, heads, window=None if config.window == "all" else config.window),
        FeedForward(size, 4 * size, activation="gelu") if config.feed_forward else None,
        size=size,
        pre_norm=True,
        dropout=dropout,
    )
