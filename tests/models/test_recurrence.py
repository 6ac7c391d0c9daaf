"""The recurrent layer against PyTorch's, values and gradients. What it computes by hand is in `tests/parity`.

Legend: B batch, L length, D hidden, R recurrent size.
"""

import pytest
import torch
from torch import Tensor, nn

from gsrec.models.recurrence import Cell, Recurrence


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def with_gradients(states: Tensor, inputs: Tensor, layer: nn.Module) -> list[Tensor]:
    """The states, and what a loss that weighs them all differently sends back."""
    weighed = states * torch.linspace(-1, 1, states.numel(), dtype=states.dtype).view_as(states)
    return [states.detach(), *torch.autograd.grad(weighed.sum(), [inputs, *layer.parameters()])]


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 7), (5, 1), (4, 9)])
def test_a_gru_is_pytorchs(batch: int, length: int, num_layers: int) -> None:
    recurrence = Recurrence(3, 4, cell="gru", num_layers=num_layers).double()
    inputs = torch.randn(batch, length, 3, dtype=torch.float64, requires_grad=True)
    found = with_gradients(recurrence(inputs), inputs, recurrence)
    expected = with_gradients(recurrence.layers(inputs)[0], inputs, recurrence)
    torch.testing.assert_close(found, expected)


def test_a_gru_in_bfloat16_is_the_same_rounded() -> None:
    recurrence = Recurrence(8, 16, cell="gru", num_layers=1)
    inputs = torch.randn(4, 12, 8, requires_grad=True)
    expected = with_gradients(recurrence(inputs), inputs, recurrence)
    with torch.autocast("cpu", torch.bfloat16):
        found = with_gradients(recurrence(inputs), inputs, recurrence)
    assert all(part.dtype == torch.float32 for part in found)
    for one, other in zip(found, expected, strict=True):
        assert not one.equal(other)
        torch.testing.assert_close(one, other, rtol=0.05, atol=0.02 * float(other.abs().max()))


def test_what_fades_on_its_way_back_ends_as_nothing_before_it_is_slow_to_multiply() -> None:
    recurrence = Recurrence(8, 16, cell="gru", num_layers=1)
    inputs = torch.randn(2, 400, 8, requires_grad=True)
    found, expected = (
        torch.autograd.grad(states[:, -1].sum(), inputs)[0]
        for states in (recurrence(inputs), recurrence.layers(inputs)[0])
    )
    torch.testing.assert_close(found, expected)
    is_subnormal = [(one != 0) & (one.abs() < torch.finfo(one.dtype).tiny) for one in (found, expected)]
    assert [bool(one.any()) for one in is_subnormal] == [False, True]


@pytest.mark.parametrize(("num_layers", "expected"), [(1, 0.0), (2, 0.3)])
def test_dropout_is_between_recurrent_layers_only(num_layers: int, expected: float) -> None:
    recurrence = Recurrence(3, 4, cell="gru", num_layers=num_layers, dropout=0.3)
    assert recurrence.layers.dropout == expected
    assert recurrence(torch.zeros(2, 5, 3)).shape == (2, 5, 4)


@pytest.mark.parametrize(("cell", "kind"), [("gru", nn.GRU), ("lstm", nn.LSTM), ("rnn", nn.RNN)])
def test_cells(cell: Cell, kind: type[nn.Module]) -> None:
    recurrence = Recurrence(3, 4, cell=cell, num_layers=1)
    assert type(recurrence.layers) is kind
