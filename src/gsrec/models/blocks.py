"""The parts that all neural models are made of.

Legend: B batch, L length, D hidden, H heads, E = D / H, W window, V items.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gsrec.models.attention import Apply, Attention, StepOfBlock, projector
from gsrec.models.scores import at_places

Activation = Literal["relu", "gelu"]
StepOfBlocks = Callable[[tuple[Tensor, ...], Tensor, Tensor], tuple[tuple[Tensor, ...], Tensor]]
"""Takes one event further: from what every block keeps, hidden (B, D) and the number (B,) int64 of events before it, to
what they keep then and hidden (B, D)."""

EMBEDDING_STD = 0.02
"""Standard deviation of new embedding rows, as in BERT4Rec's paper."""


def embedding(num_rows: int, size: int, *, std: float = EMBEDDING_STD) -> nn.Embedding:
    """An embedding table (num_rows, size) whose row 0 is padding, all zeros and never trained."""
    table = nn.Embedding(num_rows, size, padding_idx=0)
    with torch.no_grad():
        nn.init.trunc_normal_(table.weight, std=std, a=-2 * std, b=2 * std)
        table.weight[0].zero_()
    return table


def drop(hidden: Tensor, share: float, training: bool) -> Tensor:
    """Dropout: while training, a random share of the values is 0 and the rest is raised to keep the mean.

    The same as `torch.nn.functional.dropout`, several times as fast on a CPU: 8 random bits decide about a value, so
    the share is rounded to 1 / 256.

    >>> bool(drop(torch.ones(1000, 1000), 0.5, True).mean().sub(1).abs() < 0.01)
    True
    """
    cut = min(round(share * 256), 255)
    if not training or not cut:
        return hidden
    words = torch.empty(-(-hidden.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
    keep = words.view(torch.uint8)[: hidden.numel()].view(hidden.shape) >= cut
    return hidden * keep.to(hidden.dtype).mul_(256 / (256 - cut))


class Positions(nn.Module):
    """A learned vector for every place in the history, counted from the oldest item (SASRec, section III-A).

    The thesis's example (Tables 3.2 and 3.3): the items B, D, A and their positions.

    >>> positions = Positions(max_length=3, size=3)
    >>> table = [[0.01, 0.02, 0.03], [0.04, 0.05, 0.06], [0.07, 0.08, 0.09]]
    >>> positions.weight.data = torch.tensor(table)
    >>> items = torch.tensor([[[0.2, 0.4, 0.6], [0.3, 0.7, 0.2], [0.1, 0.3, 0.5]]])
    >>> positions(items).round(decimals=2)
    tensor([[[0.2100, 0.4200, 0.6300],
             [0.3400, 0.7500, 0.2600],
             [0.1700, 0.3800, 0.5900]]], grad_fn=<RoundBackward1>)
    """

    def __init__(self, max_length: int, size: int) -> None:
        """Make the table (max_length, size)."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(max_length, size))
        nn.init.trunc_normal_(self.weight, std=EMBEDDING_STD, a=-2 * EMBEDDING_STD, b=2 * EMBEDDING_STD)

    def forward(self, hidden: Tensor) -> Tensor:
        """Add the positions to hidden (B, L, D), L at most `max_length`."""
        return hidden + self.weight[: hidden.shape[1]]


class FeedForward(nn.Module):
    """Two linear layers applied to every position by itself: W2 f(W1 x + b1) + b2.

    The thesis's example (section 3.2.2). Its text writes -0.6 - 0.4 + 0.1 = -0.9:

    >>> layer = FeedForward(size=2, inner_size=2)
    >>> layer.in_projection.weight.data = torch.tensor([[1.0, 0.5], [-1.0, 2.0]])
    >>> layer.in_projection.bias.data = torch.tensor([0.1, 0.1])
    >>> layer.out_projection.weight.data = torch.tensor([[1.0, -1.0], [2.0, 0.5]])
    >>> layer.out_projection.bias.data = torch.tensor([0.0, 0.2])
    >>> layer(torch.tensor([0.6, -0.2])).round(decimals=4)
    tensor([0.6000, 1.4000], grad_fn=<RoundBackward1>)
    """

    def __init__(self, size: int, inner_size: int, *, activation: Activation = "relu") -> None:
        """Make the layers size -> inner_size -> size."""
        super().__init__()
        self.in_projection = nn.Linear(size, inner_size)
        self.out_projection = nn.Linear(inner_size, size)
        self.activation = F.relu if activation == "relu" else F.gelu

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden (..., D) -> (..., D)."""
        projected: Tensor = self.out_projection(self.activation(self.in_projection(hidden)))
        return projected

    def applier(self) -> Apply:
        """The same as a function, its weights looked up once."""
        project_in, project_out = projector(self.in_projection), projector(self.out_projection)
        activation = self.activation
        return lambda hidden: project_out(activation(project_in(hidden)))


class Block(nn.Module):
    """Attention, then feed-forward, each added to what came in, with the norm before (pre) or after the sum."""

    def __init__(
        self, attention: Attention, feed_forward: FeedForward | None, *, size: int, pre_norm: bool, dropout: float
    ) -> None:
        """Join the two parts; without a feed-forward the block is attention only (the thesis)."""
        super().__init__()
        self.attention = attention
        self.attention_norm = nn.LayerNorm(size)
        self.feed_forward = feed_forward
        self.feed_forward_norm = nn.LayerNorm(size) if feed_forward else None
        self.pre_norm = pre_norm
        self.dropout = dropout

    def forward(self, hidden: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Hidden (B, L, D) -> (B, L, D); `allowed` as in `Attention`."""
        attended = self.attention(self.attention_norm(hidden) if self.pre_norm else hidden, allowed)
        return self._join(hidden, attended)

    def at(self, hidden: Tensor, places: Tensor, allowed: Tensor | None = None) -> Tensor:
        """What `forward` gives at one place (B,) int64 of every history: (B, D); without a window."""
        attended = self.attention.at(self.attention_norm(hidden) if self.pre_norm else hidden, places, allowed)
        return self._join(at_places(hidden, places), attended)

    def stepper(self) -> StepOfBlock:
        """What takes one event further, as in `Attention.stepper`; without dropout."""
        attend_to, norm = self.attention.stepper(), normalizer(self.attention_norm)
        feed_forward = self.feed_forward.applier() if self.feed_forward else None
        feed_forward_norm = normalizer(self.feed_forward_norm) if self.feed_forward_norm else None
        pre_norm = self.pre_norm

        def step(memory: Tensor, hidden: Tensor, missing: Tensor | None) -> tuple[Tensor, Tensor]:
            memory, attended = attend_to(memory, norm(hidden) if pre_norm else hidden, missing)
            hidden = hidden + attended if pre_norm else norm(hidden + attended)
            if feed_forward is None or feed_forward_norm is None:
                return memory, hidden
            if pre_norm:
                return memory, hidden + feed_forward(feed_forward_norm(hidden))
            return memory, feed_forward_norm(hidden + feed_forward(hidden))

        return step

    def _join(self, hidden: Tensor, attended: Tensor) -> Tensor:
        """Add both (.., D), then the feed-forward."""
        hidden = hidden + self._drop(attended)
        if not self.pre_norm:
            hidden = self.attention_norm(hidden)
        if not (self.feed_forward and self.feed_forward_norm):
            return hidden
        if self.pre_norm:
            return hidden + self._drop(self.feed_forward(self.feed_forward_norm(hidden)))
        normed: Tensor = self.feed_forward_norm(hidden + self._drop(self.feed_forward(hidden)))
        return normed

    def _drop(self, hidden: Tensor) -> Tensor:
        return drop(hidden, self.dropout, self.training)


def through(blocks: nn.ModuleList, hidden: Tensor, allowed: Tensor | None = None) -> Tensor:
    """Hidden (B, L, D) after one block after the other; `allowed` as in `Attention`."""
    for block in blocks:
        hidden = block(hidden, allowed)
    return hidden


def through_at(blocks: nn.ModuleList, hidden: Tensor, places: Tensor, allowed: Tensor | None = None) -> Tensor:
    """The same at one place (B,) of every history only: (B, D). The last block works for these places alone."""
    return _block(blocks[-1]).at(through(blocks[:-1], hidden, allowed), places, allowed)


def normalizer(norm: nn.LayerNorm) -> Apply:
    """The layer's function, its weights looked up once: for one event that is half of its time."""
    shape, weight, bias, epsilon = norm.normalized_shape, norm.weight, norm.bias, norm.eps
    return lambda hidden: F.layer_norm(hidden, shape, weight, bias, epsilon)


def start_blocks(blocks: nn.ModuleList, batch: int, max_length: int) -> tuple[Tensor, ...]:
    """The memory of every block before the first event, as in `Attention.start`."""
    return tuple(_block(block).attention.start(batch, max_length) for block in blocks)


def blocks_stepper(blocks: nn.ModuleList) -> StepOfBlocks:
    """What takes one event further through all blocks, giving what `through` gives at it.

    It takes the memories of the blocks, hidden (B, D), and how many events there were before, (B,) int64: without a
    window there must be fewer than a memory has places for.
    """
    steps = [_block(block).stepper() for block in blocks]

    def step(memories: tuple[Tensor, ...], hidden: Tensor, events: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        length, missing, kept = memories[0].shape[3], None, []
        if torch.compiler.is_compiling() or int(events.min()) + 1 < length:  # a graph that is kept has no branches
            missing = torch.arange(length, device=hidden.device) < length - 1 - events[:, None]  # (B, L)
        for memory, one in zip(memories, steps, strict=True):
            memory, hidden = one(memory, hidden, missing)
            kept.append(memory)
        return tuple(kept), hidden

    return step


def _block(module: nn.Module) -> Block:
    assert isinstance(module, Block)
    return module
