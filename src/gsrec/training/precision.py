"""Which precision products are taken in: bfloat16 where the processor is fast at it, float32 elsewhere."""

from __future__ import annotations

from typing import Literal

import torch

PrecisionName = Literal["auto", "float32", "bfloat16"]

FAST_AT_BFLOAT16 = ("avx512_bf16", "amx_bf16", "sve_bf16")
"""Features of processors that multiply in bfloat16, as PyTorch names them."""


def precision_of(name: PrecisionName) -> torch.dtype:
    """The precision of this name on this machine.

    >>> precision_of("bfloat16")
    torch.bfloat16
    """
    if name == "auto":
        has = torch.cpu.get_capabilities()
        return torch.bfloat16 if any(has.get(feature) for feature in FAST_AT_BFLOAT16) else torch.float32
    return torch.bfloat16 if name == "bfloat16" else torch.float32


def precision_note(name: PrecisionName) -> str:
    """What a user should be told of the precision, how it was chosen included."""
    chosen = str(precision_of(name)).removeprefix("torch.")
    if name != "auto":
        return f"products in {chosen}, as set"
    reason = "this processor is fast at it" if chosen == "bfloat16" else "this processor is not fast at bfloat16"
    return f"products in {chosen}: {reason} (--set precision=float32 or bfloat16 decides)"
