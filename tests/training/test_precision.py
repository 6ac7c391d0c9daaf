"""Which precision is chosen, and what is told of it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gsrec.data.batches import Batches
from gsrec.models import build_model
from gsrec.models.gsrec import GSRecConfig
from gsrec.training.config import TrainingConfig
from gsrec.training.precision import precision_note, precision_of, products_in
from gsrec.training.training import Training

SLOW, FAST = {"avx2": True}, {"avx512_bf16": True}


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


def test_what_is_set_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: FAST)
    assert precision_of("float32") == torch.float32
    assert precision_note("float32") == "products in float32, as set"
    assert precision_note("bfloat16") == "products in bfloat16, as set"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: SLOW)
    assert "rounded to it but taken in float32, since this processor is slow at it" in precision_note("bfloat16")


PRODUCTS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "mm": lambda sum_to, left, right: left @ right,
    "bmm": lambda sum_to, left, right: left[None].expand(3, -1, -1) @ right[None].expand(3, -1, -1),
    "linear": lambda sum_to, left, right: torch.nn.functional.linear(left, right.T, sum_to[0]),
    "addmm": lambda sum_to, left, right: torch.addmm(sum_to, left, right, alpha=0.5, beta=2),
    "addmm_": lambda sum_to, left, right: sum_to.clone().addmm_(left, right),
    "baddbmm": lambda sum_to, left, right: torch.baddbmm(sum_to[None], left[None], right[None], alpha=0.25),
}


@pytest.mark.parametrize("kind", PRODUCTS)
def test_products_on_a_processor_that_is_slow_at_them_are_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    product = PRODUCTS[kind]
    generator = torch.Generator().manual_seed(3)
    shapes = (5, 7), (5, 6), (6, 7)
    sum_to, left, right = (
        torch.randint(-40, 40, shape, generator=generator).to(torch.bfloat16) for shape in shapes
    )  # sums of whole numbers, exact in any order, but too long for bfloat16
    expected = product(sum_to, left, right)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: SLOW)
    with products_in(torch.bfloat16):
        found = product(sum_to, left, right)
    assert found.dtype == torch.bfloat16
    assert found.equal(expected)
    assert (expected.float() != product(sum_to.float(), left.float(), right.float())).any()


class Seen(TorchDispatchMode):
    """Remembers of what types the factors of products are."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.types: set[torch.dtype] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function.overloadpacket.__name__.rstrip("_") in ("mm", "bmm", "addmm", "baddbmm"):
            self.types.add(args[-1].dtype)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(("features", "types"), [(SLOW, {torch.float32}), (FAST, {torch.float32, torch.bfloat16})])
def test_a_step_takes_no_product_that_this_processor_is_slow_at(
    features: dict[str, bool], types: set[torch.dtype], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gsrec.training.training.MANY_NUMBERS", 1)
    monkeypatch.setattr("gsrec.training.scores.CHUNK_ROWS", 8)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    rows = torch.randint(1, 30, (4, 9), generator=torch.Generator().manual_seed(1))
    items, starts = rows.flatten().int().numpy(), torch.arange(0, 36, 9).numpy()
    model = build_model(GSRecConfig(embedding_size=8, recurrent_size=8, max_length=8), num_items=30, seed=1)
    config = TrainingConfig(precision="bfloat16")
    training = Training(model, Batches(items, starts, starts + 9, 4, seed=0), config, seed=1)  # type: ignore[arg-type]
    with Seen() as seen:
        loss, _ = training.step(rows)
    assert seen.types == types
    assert 0 < loss < 10


def test_an_lstm_is_trained_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: SLOW)
    torch.manual_seed(1)
    layers, inputs = torch.nn.LSTM(6, 8, 2, batch_first=True), torch.randn(3, 5, 6)
    weights, found = next(layers.parameters()), []
    for narrow in (True, False):
        layers.zero_grad()
        with products_in(torch.bfloat16), torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            states = layers(inputs)[0]
        with products_in(torch.bfloat16):
            states.float().square().sum().backward()
        assert states.dtype == (torch.bfloat16 if narrow else torch.float32)
        assert weights.grad is not None
        found.append((states.detach().float(), weights.grad.clone()))
    for narrow_one, exact in zip(*found, strict=True):
        torch.testing.assert_close(narrow_one, exact, atol=0.01 * float(exact.abs().max()), rtol=0)
