"""Which precision products are taken in: bfloat16 where the processor is fast at it, float32 elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

PrecisionName = Literal["auto", "float32", "bfloat16"]

FAST_AT_BFLOAT16 = ("avx512_bf16", "amx_bf16", "sve_bf16")
"""Features of processors that multiply in bfloat16, as PyTorch names them."""


def precision_of(name: PrecisionName) -> torch.dtype:
    """The precision of this name on this machine.

    >>> precision_of("bfloat16")
    torch.bfloat16
    """
    if name == "auto":
        return torch.bfloat16 if _is_fast() else torch.float32
    return torch.bfloat16 if name == "bfloat16" else torch.float32


def precision_note(name: PrecisionName) -> str:
    """What a user should be told of the precision, how it was chosen included."""
    chosen = str(precision_of(name)).removeprefix("torch.")
    if name == "bfloat16" and not _is_fast():
        return "products in bfloat16, as set: rounded to it but taken in float32, since this processor is slow at it"
    if name != "auto":
        return f"products in {chosen}, as set"
    reason = "this processor is fast at it" if chosen == "bfloat16" else "this processor is not fast at bfloat16"
    return f"products in {chosen}: {reason} (--set precision=float32 or bfloat16 decides)"


def products_in(precision: torch.dtype) -> AbstractContextManager[object]:
    """Within it, products of this precision take no more time than they must on this machine.

    A processor that is slow at bfloat16 takes some sixty times as long for them as in float32, so there their factors
    are made float32 first and what comes out is rounded: the numbers of bfloat16 but for the order of sums.
    """
    is_slow = precision == torch.bfloat16 and not _is_fast()
    return _Widened() if is_slow else nullcontext()  # type: ignore[no-untyped-call]


def _is_fast() -> bool:
    """Whether this processor multiplies in bfloat16."""
    has = torch.cpu.get_capabilities()
    return any(has.get(feature) for feature in FAST_AT_BFLOAT16)


_aten = torch.ops.aten
_LSTM = frozenset([_aten.mkldnn_rnn_layer, _aten.mkldnn_rnn_layer_backward])
"""What an LSTM is made of; where the processor has no bfloat16, PyTorch has none of it."""
_WIDENED = _LSTM | {_aten.mm, _aten.bmm, _aten.addmm, _aten.addmm_, _aten.baddbmm}


class _Widened(TorchDispatchMode):
    """Takes products of bfloat16 in float32."""

    def __torch_dispatch__(
        self, function: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Take one operation."""
        kwargs = kwargs or {}
        if function.overloadpacket not in _WIDENED or args[0].dtype != torch.bfloat16:
            return function(*args, **kwargs)
        product = function(*(_cast(one, torch.bfloat16, torch.float32) for one in args), **kwargs)
        if function.overloadpacket is _aten.addmm_:
            return args[0].copy_(product)
        if isinstance(product, Tensor):
            return product.to(torch.bfloat16)
        return tuple(_cast(one, torch.float32, torch.bfloat16) for one in product)


def _cast(value: Any, before: torch.dtype, after: torch.dtype) -> Any:
    """A tensor of one type as one of another; all else as it is."""
    return value.to(after) if isinstance(value, Tensor) and value.dtype == before else value
