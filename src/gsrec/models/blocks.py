"""The parts that all neural models are made of.

Legend: B batch, L length, D hidden, H heads, E = D / H, W window, V items.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gsrec.errors import ConfigError

Activation = Literal["relu", "gelu"]
Apply = Callable[[Tensor], Tensor]
"""Takes hidden (B, D) to hidden (B, D)."""

StepOfBlock = Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""Takes one event further: from a memory (B, 2, H, L, E), hidden (B, D) at the event, and which places of the memory
have no event yet once this one is taken in, (B, L) bool or None for none, to the memory and hidden (B, D)."""

StepOfBlocks = Callable[[tuple[Tensor, ...], Tensor, Tensor], tuple[tuple[Tensor, ...], Tensor]]

EMBEDDING_STD = 0.02
"""Standard deviation of new embedding rows, as in BERT4Rec's paper."""

ITEMS_AT_ONCE, MANY_HISTORIES = 2048, 32
"""Items whose scores are computed together, where there are at least so many histories."""


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


class Directions:
    """Rows of length 1 that point where the rows of a table point; rows of zeros stay so.

    Without gradients they are worked out once for as long as the table stays as it is: a product with them then costs
    no more than one with the table.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._version: tuple[int, int] | None = None
        self._kept = torch.zeros(0)

    def __call__(self, table: Tensor) -> Tensor:
        """Of a table (V + 1, D): (V + 1, D)."""
        if torch.is_grad_enabled() or table.is_inference():
            return F.normalize(table)
        version = (table.data_ptr(), table._version)
        if version != self._version:
            self._version, self._kept = version, F.normalize(table.detach())
        return self._kept


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
    >>> layer.enter.weight.data = torch.tensor([[1.0, 0.5], [-1.0, 2.0]])
    >>> layer.enter.bias.data = torch.tensor([0.1, 0.1])
    >>> layer.leave.weight.data = torch.tensor([[1.0, -1.0], [2.0, 0.5]])
    >>> layer.leave.bias.data = torch.tensor([0.0, 0.2])
    >>> layer(torch.tensor([0.6, -0.2])).round(decimals=4)
    tensor([0.6000, 1.4000], grad_fn=<RoundBackward1>)
    """

    def __init__(self, size: int, inner_size: int, *, activation: Activation = "relu") -> None:
        """Make the layers size -> inner_size -> size."""
        super().__init__()
        self.enter = nn.Linear(size, inner_size)
        self.leave = nn.Linear(inner_size, size)
        self.activation = F.relu if activation == "relu" else F.gelu

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden (..., D) -> (..., D)."""
        left: Tensor = self.leave(self.activation(self.enter(hidden)))
        return left

    def applier(self) -> Apply:
        """The same as a function, its weights looked up once."""
        enter, leave = (self.enter.weight, self.enter.bias), (self.leave.weight, self.leave.bias)
        activation = self.activation
        return lambda hidden: F.linear(activation(F.linear(hidden, *enter)), *leave)


def attend(queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None) -> Tensor:
    """Mix the values (B, H, L, E) by how well their keys fit every query.

    `allowed` is as in `Attention`: which keys may be looked at, or what is added to how well they fit.

    In bfloat16 by plain products, half the time of PyTorch's own way there; it needs the (L, L) weights for that.
    """
    if queries.dtype != torch.bfloat16:
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=allowed, is_causal=allowed is None)
    heads, length, size = queries.shape[1:]
    if allowed is None:
        barred = queries.new_full((length, length), -math.inf).triu(1)
    else:
        if allowed.dtype == torch.bool:
            allowed = torch.zeros_like(allowed, dtype=queries.dtype).masked_fill(~allowed, -math.inf)
        barred = allowed.to(queries.dtype).expand(-1, heads, -1, -1).flatten(0, 1)  # (B H, 1 or L, L)
    fits = torch.baddbmm(barred, queries.flatten(0, 1), keys.flatten(0, 1).transpose(1, 2), alpha=size**-0.5)
    mixed: Tensor = (fits.softmax(-1) @ values.flatten(0, 1)).unflatten(0, (-1, heads))
    return mixed


def weigh(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Mix values (B H, L, E) for one query (B H, 1, E) each, by their keys and a bias (B H, 1, L): (B H, 1, E)."""
    fits = torch.baddbmm(bias, queries, keys.transpose(1, 2), alpha=queries.shape[2] ** -0.5)
    return torch.bmm(fits.softmax(-1), values)


class Window(nn.Module):
    """Mixes the values of the newest W events, with a learned bias for every head and distance.

    It knows no absolute position: what an event is worth depends on how many events ago it was. Time and memory grow
    with L x W, not with L x L: queries are cut into chunks of W, and a chunk sees itself and the chunk before.
    """

    def __init__(self, num_heads: int, size: int) -> None:
        """Make the bias (H, W) by distance; `size` is W."""
        super().__init__()
        self.size = size
        self.distance_bias = nn.Parameter(torch.zeros(num_heads, size))

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Queries, keys and values (B, H, L, E) -> (B, H, L, E)."""
        length, head_size = queries.shape[2:]
        chunk = min(self.size, length)
        parts = (F.pad(part, (0, 0, 0, -length % chunk)) for part in (queries, keys, values))
        queries, keys, values = (part.unflatten(2, (-1, chunk)) for part in parts)  # (B, H, C, W, E)
        keys, values = (torch.cat([F.pad(part, (0, 0, 0, 0, 1, -1)), part], dim=3) for part in (keys, values))
        bias = self._bias(chunk)[:, None].repeat(1, queries.shape[2], 1, 1)  # (H, C, W, 2 W)
        bias[:, 0, :, :chunk] = -math.inf  # nothing comes before the first chunk
        weights = (queries @ keys.transpose(-1, -2) / math.sqrt(head_size) + bias).softmax(-1)
        return (weights @ values).flatten(2, 3)[:, :, :length]

    def _bias(self, chunk: int) -> Tensor:
        """(H, chunk, 2 chunk), the bias of every query on the keys of the chunk before and its own."""
        query = torch.arange(chunk, device=self.distance_bias.device)[:, None] + chunk
        distance = query - torch.arange(2 * chunk, device=self.distance_bias.device)  # (chunk, 2 chunk)
        outside = (distance < 0) | (distance >= self.size)
        near = self.distance_bias[:, distance.clamp(0, self.size - 1)]
        return near.masked_fill(outside, -math.inf)


class Attention(nn.Module):
    """Multi-head self-attention over the events up to each one: all of them, or the newest `window`."""

    def __init__(self, size: int, num_heads: int, *, window: int | None = None) -> None:
        """Make the projections of size D, divided among the heads."""
        super().__init__()
        if size % num_heads:
            raise ConfigError(f"embedding_size must be a multiple of num_heads, found {size} and {num_heads}")
        self.num_heads = num_heads
        self.project = nn.Linear(size, 3 * size)
        self.window = None if window is None else Window(num_heads, window)
        self.leave = nn.Linear(size, size)

    def forward(self, hidden: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Attend within every history.

        Args:
            hidden: (B, L, D) float32.
            allowed: (B, 1, 1, L) bool, true at the events that may be looked at, later ones too; or (B, 1, L, L)
                float32, what is added to how well events fit; None: causal. It has no part in attention to a window.

        Returns:
            (B, L, D) float32. With right padding the causal forms never look at padding.
        """
        shape = (*hidden.shape[:2], 3, self.num_heads, -1)
        queries, keys, values = self.project(hidden).view(shape).permute(2, 0, 3, 1, 4)  # 3 of (B, H, L, E)
        mixed = self.window(queries, keys, values) if self.window else attend(queries, keys, values, allowed)
        left: Tensor = self.leave(mixed.transpose(1, 2).flatten(2))  # (B, L, D)
        return left

    def start(self, batch: int, max_length: int) -> Tensor:
        """The memory (B, 2, H, L, E) before the first event: keys, then values of the newest events, the newest last.

        It has L = W places with a window, else L = `max_length`.
        """
        size = self.leave.in_features // self.num_heads
        places = max_length if self.window is None else self.window.size
        return self.leave.weight.new_zeros(batch, 2, self.num_heads, places, size)

    def stepper(self) -> StepOfBlock:
        """What takes one event further; see `StepOfBlock`. It gives what `forward` gives at the event."""
        heads, window = self.num_heads, self.window
        enter, leave = (self.project.weight, self.project.bias), (self.leave.weight, self.leave.bias)
        newest_last = None if window is None else window.distance_bias.flip(1)[None]  # (1, H, W)

        def step(memory: Tensor, hidden: Tensor, missing: Tensor | None) -> tuple[Tensor, Tensor]:
            batch = hidden.shape[0]
            parts = F.linear(hidden, *enter).view(batch, 3, heads, 1, -1)
            memory = torch.cat([memory[:, :, :, 1:], parts[:, 1:]], 3)
            bias = hidden.new_zeros(1, heads, memory.shape[3]) if newest_last is None else newest_last
            if missing is not None:
                bias = bias.masked_fill(missing[:, None], -math.inf)
            keys, values = memory.transpose(0, 1).reshape(2, batch * heads, memory.shape[3], -1)
            bias = bias.expand(batch, -1, -1).reshape(batch * heads, 1, -1)
            mixed = weigh(parts[:, 0].reshape(batch * heads, 1, -1), keys, values, bias)
            return memory, F.linear(mixed.view(batch, -1), *leave)

        return step

    def at(self, hidden: Tensor, places: Tensor, allowed: Tensor | None = None) -> Tensor:
        """What `forward` gives at one place (B,) int64 of every history: (B, D), for a fraction of the work."""
        size = hidden.shape[2]
        queries, keys_values = self.project.weight.split((size, 2 * size))
        query_bias, bias = self.project.bias.split((size, 2 * size))
        own = F.linear(at_places(hidden, places), queries, query_bias)
        queries = own.view(own.shape[0], 1, self.num_heads, -1).transpose(1, 2)  # (B, H, 1, E)
        shape = (*hidden.shape[:2], 2, self.num_heads, -1)
        keys, values = F.linear(hidden, keys_values, bias).view(shape).permute(2, 0, 3, 1, 4)  # 2 of (B, H, L, E)
        if allowed is None:
            allowed = (torch.arange(hidden.shape[1], device=hidden.device) <= places[:, None])[:, None, None]
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=allowed)
        left: Tensor = self.leave(mixed.flatten(1))  # (B, D)
        return left


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


def newest(items: Tensor) -> Tensor:
    """The place (B,) of each history's newest item in items (B, L); an empty history has its first place.

    >>> newest(torch.tensor([[7, 8, 0], [0, 0, 0]]))
    tensor([1, 0])
    """
    return (items.count_nonzero(1) - 1).clamp_min(0)


def at_places(hidden: Tensor, places: Tensor) -> Tensor:
    """The hidden vectors (B, D) at one place (B,) of every history (B, L, D).

    >>> at_places(torch.tensor([[[1.0], [2.0], [3.0]]]), torch.tensor([1]))
    tensor([[2.]])
    """
    return hidden[torch.arange(hidden.shape[0], device=hidden.device), places]


def item_scores(hidden: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """Scores (B, V + 1) of all items: hidden (B, D) by weights (V + 1, D), plus bias (V + 1,) if there is one.

    For many histories and a large catalogue some thousand items at a time: what goes into a product then stays in the
    processor's cache, which is twice as fast.
    """
    if torch.is_grad_enabled() or len(hidden) < MANY_HISTORIES or len(weights) < 2 * ITEMS_AT_ONCE:
        return F.linear(hidden, weights, bias)
    scores = hidden.new_empty(len(hidden), len(weights))
    for start in range(0, len(weights), ITEMS_AT_ONCE):
        some = slice(start, start + ITEMS_AT_ONCE)
        torch.mm(hidden, weights[some].T, out=scores[:, some])
    return scores if bias is None else scores.add_(bias)
