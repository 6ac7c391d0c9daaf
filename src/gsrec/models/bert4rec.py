"""BERT4Rec: attention to both sides, trained to fill in masked items (Sun et al., CIKM 2019).

Legend: B batch, L length, D hidden, V items.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from gsrec.description import Description
from gsrec.models.attention import Attention
from gsrec.models.blocks import Block, FeedForward, Positions, drop, embedding, through, through_at
from gsrec.models.config import Layers, Share, Size
from gsrec.models.scores import scores_of


class BERT4RecConfig(Description):
    """The size of a BERT4Rec; the paper has 2 blocks, 2 heads, a feed-forward of 4 and dropout 0.1.

    A row holds two events at least: one to be filled in, and one to learn it from.
    """

    name: Literal["bert4rec"] = "bert4rec"
    embedding_size: Size = 64
    num_blocks: Layers = 2
    num_heads: Size = 2
    max_length: Annotated[Size, Field(ge=2)] = 200
    dropout: Share = 0.2


class BERT4Rec(nn.Module):
    """Item and position embeddings, blocks that look both ways, a projection, then scores and a bias.

    To predict what comes next, a [MASK] is put behind the newest item and filled in. The [MASK] has item index V + 1.
    """

    def __init__(self, num_items: int, config: BERT4RecConfig) -> None:
        """Make a model of `num_items` items with new weights."""
        super().__init__()
        size, dropout = config.embedding_size, config.dropout
        self.num_items = num_items
        self.mask_item = num_items + 1
        self.max_length: int | None = config.max_length - 1  # one place is the [MASK]'s
        self.max_row = config.max_length
        self.items = embedding(num_items + 2, size)
        self.bias = nn.Parameter(self.items.weight.new_zeros(num_items + 1))
        self.positions = Positions(config.max_length, size)
        self.norm = nn.LayerNorm(size)
        self.dropout = dropout
        self.blocks = nn.ModuleList(
            Block(
                Attention(size, config.num_heads),
                FeedForward(size, 4 * size, activation="gelu"),
                size=size,
                pre_norm=False,
                dropout=dropout,
            )
            for _ in range(config.num_blocks)
        )
        self.transform = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.LayerNorm(size))

    def encode(self, items: Tensor) -> Tensor:
        """Hidden vectors (B, L, D) of items (B, L) int64, [MASK] among them; every position knows all others."""
        transformed: Tensor = self.transform(through(self.blocks, self._embed(items), _allowed(items)))
        return transformed

    def _embed(self, items: Tensor) -> Tensor:
        return drop(self.norm(self.positions(self.items(items))), self.dropout, self.training)

    @property
    def item_weights(self) -> Tensor:
        """(V + 1, D), the item embeddings without the [MASK]'s."""
        return self.items.weight[:-1]

    @property
    def item_bias(self) -> Tensor | None:
        """(V + 1,), learned."""
        return self.bias

    def score(self, items: Tensor) -> Tensor:
        """Scores (B, V + 1) of what follows the histories (B, L) int64."""
        lengths = items.count_nonzero(1)
        masked = F.pad(items, (0, 1)).scatter_(1, lengths[:, None], self.mask_item)
        at_mask = through_at(self.blocks, self._embed(masked), lengths, _allowed(masked))
        return scores_of(self, self.transform(at_mask))


def _allowed(items: Tensor) -> Tensor:
    """(B, 1, 1, L) bool, true at what may be looked at; a row of padding only must look at something."""
    real = items != 0
    return (real | ~real.any(1, keepdim=True))[:, None, None]
