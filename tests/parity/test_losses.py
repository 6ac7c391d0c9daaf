"""All losses, values and gradients, against the plain formulas over the whole matrix of scores.

Legend: T targets, D hidden, V items, N negatives.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from gsrec.training.losses import (
    bce_loss,
    gbce_loss,
    sampled_bce_loss,
    sampled_softmax_loss,
    sce_loss,
    softmax_loss,
    uniform_negatives,
)
from gsrec.training.scores import CHUNK_ROWS

NUM_ITEMS, SIZE = 11, 6
BIASED = pytest.mark.parametrize("biased", [True, False], ids=["bias", "no-bias"])
NUM_TARGETS = pytest.mark.parametrize("num_targets", [1, *(CHUNK_ROWS + more for more in (-1, 0, 1, 131))])
WHOLE_LOSSES = pytest.mark.parametrize("name", ["softmax", "bce"])


@dataclass(frozen=True, eq=False)
class Case:
    """What a loss is given: hidden (T, D), weights (V + 1, D), targets (T,), and a bias (V + 1,) or None."""

    hidden: Tensor
    weights: Tensor
    targets: Tensor
    bias: Tensor | None

    @property
    def scores(self) -> Tensor:
        """(T, V), of the items 1..V."""
        scores = self.hidden @ self.weights.T
        return (scores if self.bias is None else scores + self.bias)[:, 1:]

    @property
    def one_hot(self) -> Tensor:
        """(T, V), 1 at the targets."""
        return F.one_hot(self.targets - 1, NUM_ITEMS).float()

    def gradients(self, loss: Tensor) -> list[Tensor]:
        """The gradients of 3 x the loss, so that it matters what comes from above."""
        inputs = [self.hidden, self.weights] + ([] if self.bias is None else [self.bias])
        return list(torch.autograd.grad(3 * loss, inputs, retain_graph=True))


def make_case(num_targets: int, biased: bool) -> Case:
    generator = torch.Generator().manual_seed(num_targets)
    hidden = torch.randn(num_targets, SIZE, generator=generator)
    weights = torch.randn(NUM_ITEMS + 1, SIZE, generator=generator)
    bias = torch.randn(NUM_ITEMS + 1, generator=generator).requires_grad_() if biased else None
    targets = torch.randint(1, NUM_ITEMS + 1, (num_targets,), generator=generator)
    return Case(hidden.requires_grad_(), weights.requires_grad_(), targets, bias)


def draw(*shape: int) -> Tensor:
    return uniform_negatives(shape, num_items=NUM_ITEMS, generator=torch.Generator().manual_seed(8))


def assert_equal_with_gradients(case: Case, found: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    assert found.shape == ()
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    for ours, theirs in zip(case.gradients(found), case.gradients(expected), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def whole_loss(case: Case, name: str, precision: torch.dtype = torch.float32) -> Tensor:
    loss = softmax_loss if name == "softmax" else bce_loss
    return loss(case.hidden, case.weights, case.targets, bias=case.bias, precision=precision)


def plain_loss(case: Case, name: str) -> Tensor:
    if name == "softmax":
        return F.cross_entropy(case.scores, case.targets - 1)
    return F.binary_cross_entropy_with_logits(case.scores, case.one_hot)


@WHOLE_LOSSES
@BIASED
@NUM_TARGETS
def test_losses_over_the_whole_catalogue(name: str, biased: bool, num_targets: int) -> None:
    case = make_case(num_targets, biased)
    assert_equal_with_gradients(case, whole_loss(case, name), plain_loss(case, name))


@WHOLE_LOSSES
@BIASED
def test_bfloat16_is_close(name: str, biased: bool) -> None:
    case = make_case(300, biased)
    found = whole_loss(case, name, torch.bfloat16)
    assert found.dtype == torch.float32
    assert {gradient.dtype for gradient in case.gradients(found)} == {torch.float32}
    assert not found.equal(whole_loss(case, name))
    assert_equal_with_gradients(case, found, plain_loss(case, name), tolerance=0.02)


@WHOLE_LOSSES
def test_large_scores_overflow_nothing(name: str) -> None:
    case = make_case(5, biased=False)
    far = Case((case.hidden * 1e4).detach().requires_grad_(), case.weights, case.targets, None)
    assert_equal_with_gradients(far, whole_loss(far, name), plain_loss(far, name), tolerance=1e-4)


@WHOLE_LOSSES
def test_a_score_that_is_not_a_number_is_not_hidden(name: str) -> None:
    case = make_case(5, biased=False)
    broken = Case(case.hidden * torch.nan, case.weights, case.targets, None)
    assert whole_loss(broken, name).isnan()


class LargestTensor(TorchDispatchMode):
    """Remembers how many values the largest tensor had that any operation gave."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numel = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: object, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.numel = max(self.numel, result.numel())
        return result


@WHOLE_LOSSES
def test_the_scores_of_all_targets_are_never_there_at_once(name: str) -> None:
    case = make_case(10 * CHUNK_ROWS, biased=True)
    with LargestTensor() as largest:
        whole_loss(case, name).backward()
    assert CHUNK_ROWS * NUM_ITEMS <= largest.numel <= case.hidden.numel() < case.scores.numel()


def test_the_vectors_of_all_negatives_are_never_there_at_once() -> None:
    case, negatives = make_case(50, biased=True), draw(50, 20)
    with LargestTensor() as largest:
        gbce_loss(
            case.hidden, case.weights, case.targets, negatives=negatives, calibration=0.5, bias=case.bias
        ).backward()
    assert largest.numel == 50 * 21


def gbce_by_hand(case: Case, negatives: Tensor, calibration: float) -> Tensor:
    """The logarithm of sigmoid ** beta and of 1 - sigmoid, written out, in float64."""
    rate = min(1.0, negatives.shape[1] / (NUM_ITEMS - 1))
    beta = rate * (calibration * (1 - 1 / rate) + 1 / rate)
    total = case.hidden.new_zeros((), dtype=torch.float64)
    for scores, target, drawn in zip(case.scores.double(), case.targets.tolist(), negatives.tolist(), strict=True):
        total = total - (scores[target - 1].sigmoid() ** beta).log()
        for item in drawn:
            if item != target:
                total = total - (1 - scores[item - 1].sigmoid()).log()
    return (total / len(case.targets)).float()


@BIASED
@pytest.mark.parametrize("num_negatives", [1, 4, 30])
@pytest.mark.parametrize("calibration", [0.0, 0.75, 1.0])
def test_gbce(biased: bool, num_negatives: int, calibration: float) -> None:
    case, negatives = make_case(9, biased), draw(9, num_negatives)
    found = gbce_loss(
        case.hidden, case.weights, case.targets, negatives=negatives, calibration=calibration, bias=case.bias
    )
    assert_equal_with_gradients(case, found, gbce_by_hand(case, negatives, calibration), tolerance=1e-4)


@BIASED
def test_sampled_bce_is_that_of_torch_over_target_and_negatives(biased: bool) -> None:
    case, negatives = make_case(200, biased), draw(200, 3)
    found = sampled_bce_loss(case.hidden, case.weights, case.targets, negatives=negatives, bias=case.bias)
    items = torch.cat([case.targets[:, None], negatives], dim=1)
    labels = torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(200, 4)
    counted = torch.cat([torch.ones(200, 1), (negatives != case.targets[:, None]).float()], dim=1)
    assert 0 < counted.sum() < counted.numel()  # some negatives are the target
    terms = F.binary_cross_entropy_with_logits(case.scores.gather(1, items - 1), labels, reduction="none")
    assert_equal_with_gradients(case, found, (terms * counted).sum() / 200)


@BIASED
def test_without_calibration_gbce_is_sampled_bce(biased: bool) -> None:
    case, negatives = make_case(50, biased), draw(50, 4)
    found = gbce_loss(case.hidden, case.weights, case.targets, negatives=negatives, calibration=0.0, bias=case.bias)
    plain = sampled_bce_loss(case.hidden, case.weights, case.targets, negatives=negatives, bias=case.bias)
    assert_equal_with_gradients(case, found, plain)


@BIASED
def test_sampled_softmax(biased: bool) -> None:
    case, negatives = make_case(40, biased), draw(7)
    found = sampled_softmax_loss(case.hidden, case.weights, case.targets, negatives=negatives, bias=case.bias)
    expected = torch.zeros(())
    for scores, target in zip(case.scores, case.targets.tolist(), strict=True):
        others = sum(scores[item - 1].exp() for item in negatives.tolist() if item != target)
        own = scores[target - 1].exp()
        expected = expected - (own / (own + NUM_ITEMS / 7 * others)).log() / 40
    assert_equal_with_gradients(case, found, expected)


@BIASED
@pytest.mark.parametrize("times", [1, 3])
def test_with_every_item_as_a_negative_sampled_softmax_is_softmax(biased: bool, times: int) -> None:
    case, negatives = make_case(40, biased), torch.arange(1, NUM_ITEMS + 1).repeat(times)
    found = sampled_softmax_loss(case.hidden, case.weights, case.targets, negatives=negatives, bias=case.bias)
    assert_equal_with_gradients(case, found, plain_loss(case, "softmax"))


@BIASED
def test_with_every_item_in_a_bucket_sce_is_softmax(biased: bool) -> None:
    case = make_case(2, biased)  # two directions of two hidden vectors each: all are in
    generator = torch.Generator().manual_seed(1)
    found = sce_loss(
        case.hidden, case.weights, case.targets, num_negatives=NUM_ITEMS, generator=generator, bias=case.bias
    )
    assert_equal_with_gradients(case, found, plain_loss(case, "softmax"))


@BIASED
@pytest.mark.parametrize("num_negatives", [1, 4])
def test_sce(biased: bool, num_negatives: int) -> None:
    """Bucket after bucket, each hidden vector with the greatest of its losses."""
    case = make_case(30, biased)
    found = sce_loss(
        case.hidden,
        case.weights,
        case.targets,
        num_negatives=num_negatives,
        generator=torch.Generator().manual_seed(3),
        bias=case.bias,
    )
    size = 8  # the root of 2 x 30
    directions = torch.randn(size, 30, generator=torch.Generator().manual_seed(3)) @ case.hidden.detach()
    losses: dict[int, Tensor] = {}
    for direction in directions:
        along_items = (case.weights[1:] @ direction).argsort(descending=True)[:num_negatives] + 1
        for place in (case.hidden @ direction).argsort(descending=True)[:size].tolist():
            target = int(case.targets[place])
            others = [case.scores[place, item - 1] for item in along_items.tolist() if item != target]
            own = case.scores[place, target - 1]
            loss = torch.stack([own, *others]).logsumexp(0) - own
            losses[place] = torch.maximum(losses.get(place, loss), loss)
    assert_equal_with_gradients(case, found, torch.stack([*losses.values()]).mean())


@BIASED
def test_sparse_gradients_are_the_dense_ones(biased: bool) -> None:
    case, negatives = make_case(20, biased), draw(20, 4)
    given: Any = {"bias": case.bias}
    for loss in (
        partial(sampled_bce_loss, negatives=negatives, **given),
        partial(gbce_loss, negatives=negatives, calibration=0.5, **given),
        partial(sampled_softmax_loss, negatives=negatives[0], **given),
    ):
        sparse = torch.autograd.grad(loss(case.hidden, case.weights, case.targets, sparse=True), case.weights)[0]
        dense = torch.autograd.grad(loss(case.hidden, case.weights, case.targets), case.weights)[0]
        assert sparse.is_sparse
        torch.testing.assert_close(sparse.to_dense(), dense)


def test_the_sum_in_a_sampled_softmax_is_the_full_one_on_average() -> None:
    case, generator = make_case(1, biased=False), torch.Generator().manual_seed(9)
    own = case.scores[0, case.targets[0] - 1].exp().detach()
    sums = []
    for _ in range(2000):
        negatives = uniform_negatives((4,), num_items=NUM_ITEMS, generator=generator)
        loss = sampled_softmax_loss(case.hidden, case.weights, case.targets, negatives=negatives)
        sums.append(float(own * loss.detach().exp()))  # loss = log(sum / own)
    assert torch.tensor(sums).mean() == pytest.approx(float(case.scores.exp().sum().detach()), rel=0.05)


@BIASED
def test_padding_has_no_part_in_any_loss(biased: bool) -> None:
    case, negatives = make_case(20, biased), draw(20, 4)
    hidden, weights, targets, bias = case.hidden, case.weights, case.targets, case.bias
    losses = [
        softmax_loss(hidden, weights, targets, bias=bias),
        bce_loss(hidden, weights, targets, bias=bias),
        sampled_bce_loss(hidden, weights, targets, negatives=negatives, bias=bias),
        gbce_loss(hidden, weights, targets, negatives=negatives, calibration=0.5, bias=bias),
        sampled_softmax_loss(hidden, weights, targets, negatives=negatives[0], bias=bias),
    ]
    for loss in losses:
        for gradient in case.gradients(loss)[1:]:
            assert gradient[1:].any()
            assert not gradient[0].any()


def test_negatives_are_all_items_alike_and_never_padding() -> None:
    drawn = uniform_negatives((200, 55), num_items=NUM_ITEMS, generator=torch.Generator().manual_seed(2))
    assert drawn.shape == (200, 55)
    counts = torch.bincount(drawn.flatten(), minlength=NUM_ITEMS + 1)
    assert counts[0] == 0
    assert len(counts) == NUM_ITEMS + 1
    assert counts[1:].float().div(1000).sub(1).abs().max() < 0.15
