"""Other ways to join recurrence and attention, from the models that the GSRec thesis sets itself against.

Legend: B batch, L length, D hidden, R recurrent size, K latest items, V items.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gsrec.description import Description
from gsrec.models.attention import Attention
from gsrec.models.blocks import Block, FeedForward, Positions, drop, embedding, through
from gsrec.models.config import Layers, Share, Size, Temperature
from gsrec.models.recurrence import Recurrence
from gsrec.models.scores import Cosines, newest_hidden, scores_of


class HybridConfig(Description):
    """The size of a hybrid; what it is made of goes by its name.

    Attributes:
        temperature: scores are cosines, divided by it; 0: plain products.
        latest: of `gat4rec`, how many of the newest items tell the intent.
    """

    name: Literal["gat4rec", "fdg-trans", "gru-transformer"]
    embedding_size: Size = 64
    num_blocks: Layers = 2
    num_heads: Size = 2
    recurrent_size: Size = 128
    max_length: Size = 200
    dropout: Share = 0.2
    temperature: Temperature = 0.0
    latest: Annotated[int, Field(ge=1, le=64)] = 5


class Hybrid(nn.Module):
    """Item embeddings, recurrence and causal attention in one order or another, then scores by the embeddings."""

    def __init__(self, num_items: int, config: HybridConfig) -> None:
        """Make a model of `num_items` items with new weights."""
        super().__init__()
        size = config.embedding_size
        self.num_items = num_items
        self.max_length: int | None = config.max_length
        self.max_row = config.max_length + 1
        self.items = embedding(num_items + 1, size)
        self.scale = size**0.5  # as in SASRec
        self.dropout = config.dropout
        self.joined = PARTS[config.name](config)
        self.norm = nn.LayerNorm(size)
        self.cosines = Cosines(config.temperature)

    def encode(self, items: Tensor) -> Tensor:
        """Hidden vectors (B, L, D) of items (B, L) int64; position t knows nothing of what comes after t."""
        embedded = drop(self.items(items) * self.scale, self.dropout, self.training)
        return self.cosines.of_hidden(self.norm(self.joined(embedded)))

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
        return scores_of(self, newest_hidden(self, items))


class FilteredByIntent(nn.Module):
    """GAT4Rec (He et al., Mathematics 2024): a GRU over the latest items gives an intent, which filters the history.

    At every position the GRU reads the K items up to it anew. An event's share in attention is multiplied by
    sigmoid(intent W event) before it is normed, so that an event that does not fit the intent is left out. The paper's
    GRU predicts categories; a log without them leaves the intent to be learned from the next item alone.
    """

    def __init__(self, config: HybridConfig) -> None:
        """Make the GRU, the filter and the attention blocks."""
        super().__init__()
        size = config.embedding_size
        self.latest = config.latest
        self.recurrence = _recurrence(config, "gru")
        self.intent = nn.Linear(config.recurrent_size, size)
        self.positions = Positions(config.max_length, size)
        self.blocks = _blocks(config)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden (B, L, D) -> (B, L, D)."""
        batch, length, size = hidden.shape
        windows = F.pad(hidden, (0, 0, self.latest - 1, 0)).unfold(1, self.latest, 1)  # (B, L, D, K)
        states = self.recurrence(windows.transpose(2, 3).reshape(batch * length, self.latest, size))  # (B L, K, R)
        intents = self.intent(states[:, -1]).view(batch, length, size)
        kept = F.logsigmoid(intents @ hidden.transpose(1, 2) * size**-0.5)  # (B, L, L)
        later = torch.ones(length, length, dtype=torch.bool, device=hidden.device).triu(1)
        return through(self.blocks, self.positions(hidden), kept.masked_fill(later, -torch.inf)[:, None])


class RecurrentThenAttention(nn.Module):
    """FDG-Trans (Li and Qian): an LSTM, then a GRU, then attention; without its decomposition of price series."""

    def __init__(self, config: HybridConfig) -> None:
        """Make both recurrences and the attention blocks."""
        super().__init__()
        size = config.embedding_size
        self.long = _recurrence(config, "lstm")
        self.short = Recurrence(config.recurrent_size, config.recurrent_size, cell="gru", num_layers=1)
        self.out_projection = nn.Linear(config.recurrent_size, size)
        self.positions = Positions(config.max_length, size)
        self.blocks = _blocks(config)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden (B, L, D) -> (B, L, D)."""
        return through(self.blocks, self.positions(self.out_projection(self.short(self.long(hidden)))))


class SideBySide(nn.Module):
    """GRU-Transformer (Zheng et al., Agronomy 2024): a GRU and attention read one history, and a layer joins them."""

    def __init__(self, config: HybridConfig) -> None:
        """Make the two branches and what joins them."""
        super().__init__()
        size = config.embedding_size
        self.recurrence = _recurrence(config, "gru")
        self.positions = Positions(config.max_length, size)
        self.blocks = _blocks(config)
        self.join = nn.Linear(config.recurrent_size + size, size)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden (B, L, D) -> (B, L, D)."""
        attended = through(self.blocks, self.positions(hidden))
        joined: Tensor = self.join(torch.cat([self.recurrence(hidden), attended], dim=2))
        return joined


PARTS: dict[str, type[FilteredByIntent | RecurrentThenAttention | SideBySide]] = {
    "gat4rec": FilteredByIntent,
    "fdg-trans": RecurrentThenAttention,
    "gru-transformer": SideBySide,
}


def _recurrence(config: HybridConfig, cell: Literal["gru", "lstm"]) -> Recurrence:
    return Recurrence(config.embedding_size, config.recurrent_size, cell=cell, num_layers=1)


def _blocks(config: HybridConfig) -> nn.ModuleList:
    size = config.embedding_size
    return nn.ModuleList(
        Block(
            Attention(size, config.num_heads),
            FeedForward(size, 4 * size, activation="gelu"),
            size=size,
            pre_norm=True,
            dropout=config.dropout,
        )
        for _ in range(config.num_blocks)
    )
