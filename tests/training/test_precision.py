"""Which precision is chosen, and what is told of it."""

import pytest
import torch

from gsrec.training.precision import precision_note, precision_of


@pytest.mark.parametrize(
    ("features", "expected", "reason"),
    [
        ({"avx512_bf16": True}, torch.bfloat16, "bfloat16: this processor is fast at it"),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16, "bfloat16: this processor is fast at it"),
        ({"avx512_f": True}, torch.float32, "float32: this processor is not fast at bfloat16"),
    ],
)
def test_bfloat16_where_the_processor_is_fast_at_it(
    features: dict[str, bool], expected: torch.dtype, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    assert precision_of("auto") == expected
    assert f"products in {reason}" in precision_note("auto")


def test_what_is_set_decides() -> None:
    assert precision_of("float32") == torch.float32
    assert precision_note("bfloat16") == "products in bfloat16, as set"
