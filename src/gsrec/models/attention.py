"""Self-attention, to all earlier events or to a window of the newest ones, at once or event by event.

Legend: B batch, L length, D hidden, H heads, E = D / H, W window, C windows of a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gsrec.errors import ConfigError
from gsrec.models.scores import at_places

Apply = Callable[[Tensor], Tensor]
"""Takes hidden (B, D) to hidden (B, D), or to another width."""

StepOfBlock = Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""Takes one event further: from a memory (B, 2, H, L, E), hidden (B, D) at the event, and which places of the memory
have no event yet once this one is taken in, (B, L) bool or None for none, to the memory and hidden (B, D)."""


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


def projector(layer: nn.Linear) -> Apply:
    """A linear layer as a function, its weights looked up once."""
    weight, bias = layer.weight, layer.bias
    return lambda hidden: F.linear(hidden, weight, bias)


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
        self.in_projection = nn.Linear(size, 3 * size)
        self.window = None if window is None else Window(num_heads, window)
        self.out_projection = nn.Linear(size, size)

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
        queries, keys, values = self.in_projection(hidden).view(shape).permute(2, 0, 3, 1, 4)  # 3 of (B, H, L, E)
        mixed = self.window(queries, keys, values) if self.window else attend(queries, keys, values, allowed)
        projected: Tensor = self.out_projection(mixed.transpose(1, 2).flatten(2))  # (B, L, D)
        return projected

    def start(self, batch: int, max_length: int) -> Tensor:
        """The memory (B, 2, H, L, E) before the first event: keys, then values of the newest events, the newest last.

        It has L = W places with a window, else L = `max_length`.
        """
        size = self.out_projection.in_features // self.num_heads
        places = max_length if self.window is None else self.window.size
        return self.out_projection.weight.new_zeros(batch, 2, self.num_heads, places, size)

    def stepper(self) -> StepOfBlock:
        """What takes one event further; see `StepOfBlock`. It gives what `forward` gives at the event."""
        heads, window = self.num_heads, self.window
        project_in, project_out = projector(self.in_projection), projector(self.out_projection)
        newest_last = None if window is None else window.distance_bias.flip(1)[None]  # (1, H, W)

        def step(memory: Tensor, hidden: Tensor, missing: Tensor | None) -> tuple[Tensor, Tensor]:
            batch = hidden.shape[0]
            parts = project_in(hidden).view(batch, 3, heads, 1, -1)
            memory = torch.cat([memory[:, :, :, 1:], parts[:, 1:]], 3)
            bias = hidden.new_zeros(1, heads, memory.shape[3]) if newest_last is None else newest_last
            if missing is not None:
                bias = bias.masked_fill(missing[:, None], -math.inf)
            keys, values = memory.transpose(0, 1).reshape(2, batch * heads, memory.shape[3], -1)
            bias = bias.expand(batch, -1, -1).reshape(batch * heads, 1, -1)
            mixed = weigh(parts[:, 0].reshape(batch * heads, 1, -1), keys, values, bias)
            return memory, project_out(mixed.view(batch, -1))

        return step

    def at(self, hidden: Tensor, places: Tensor, allowed: Tensor | None = None) -> Tensor:
        """What `forward` gives at one place (B,) int64 of every history: (B, D), for a fraction of the work.

        Not for attention to a window, of which nobody needs it.
        """
        assert self.window is None
        size = hidden.shape[2]
        queries, keys_values = self.in_projection.weight.split((size, 2 * size))
        query_bias, bias = self.in_projection.bias.split((size, 2 * size))
        own = F.linear(at_places(hidden, places), queries, query_bias)
        queries = own.view(own.shape[0], 1, self.num_heads, -1).transpose(1, 2)  # (B, H, 1, E)
        shape = (*hidden.shape[:2], 2, self.num_heads, -1)
        keys, values = F.linear(hidden, keys_values, bias).view(shape).permute(2, 0, 3, 1, 4)  # 2 of (B, H, L, E)
        if allowed is None:
            allowed = (torch.arange(hidden.shape[1], device=hidden.device) <= places[:, None])[:, None, None]
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=allowed)
        projected: Tensor = self.out_projection(mixed.flatten(1))  # (B, D)
        return projected
