"""Averaged weights, by rows and whole.

Legend: V items, D hidden.
"""

import pytest
import torch
from torch import nn

from gsrec.training.averaging import Averaging


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_rows_that_a_step_leaves_alone_are_averaged_all_the_same(share: float) -> None:
    torch.manual_seed(0)
    table, other = nn.Embedding(9, 3, sparse=True), nn.Linear(3, 1)
    model = nn.ModuleList([table, other])
    averaging = Averaging(model, share, by_rows=[table.weight])
    expected: list[torch.Tensor] = []
    for step in range(40):
        model.zero_grad()
        other(table(torch.tensor([step % 5, 1, 1, 8 - step % 3]))).sum().backward()
        with averaging.step(), torch.no_grad():
            for weight in model.parameters():
                assert weight.grad is not None
                weight.sub_(weight.grad.to_dense())
        newest = [weight.detach().clone() for weight in model.parameters()]
        kept = min(share, step / (step + 10))
        expected = [old.lerp(new, 1 - kept) for old, new in zip(expected or newest, newest, strict=True)]
        if step % 4 == 3:
            moving = [weight.detach().clone() for weight in model.parameters()]
            with averaging.shown():
                torch.testing.assert_close([weight.detach() for weight in model.parameters()], expected)
            assert all(weight.equal(before) for weight, before in zip(model.parameters(), moving, strict=True))


def test_a_row_is_worked_out_only_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    table = nn.Embedding(1000, 2, sparse=True)
    averaging = Averaging(table, 0.9, by_rows=[table.weight])
    before = averaging.averages[0].clone()
    table(torch.tensor([3, 4, 3])).sum().backward()
    with averaging.step(), torch.no_grad():
        table.weight += 1  # a step that should have changed two rows
    changed = (averaging.averages[0] != before).any(1)
    assert changed.nonzero().flatten().tolist() == [3, 4]


def test_a_short_training_does_not_keep_its_beginning() -> None:
    model = nn.Linear(1, 1, bias=False)
    averaging = Averaging(model, 0.995)
    for step in range(1, 101):
        with averaging.step(), torch.no_grad():
            model.weight.fill_(step)
    assert 90 < averaging.averages[0].item() < 93
