"""The trainer against a plain loop, and all that it promises around it.

Legend: B batch, L length, D hidden.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from gsrec.data.batches import Batches
from gsrec.errors import TrainingError
from gsrec.models import (
    BERT4Rec,
    BERT4RecConfig,
    GRU4Rec,
    GRU4RecConfig,
    SASRec,
    SASRecConfig,
    SequenceEncoder,
    build_model,
)
from gsrec.training.config import LossName, TrainingConfig
from gsrec.training.course import Epoch, Fit, Keeping, Listener, TrainingStep
from gsrec.training.precision import PrecisionName
from gsrec.training.scores import CHUNK_ROWS
from gsrec.training.trainer import fit
from gsrec.training.training import Training

NUM_ITEMS = 12
SMALL = GRU4RecConfig(embedding_size=8, recurrent_size=8, max_length=10, dropout=0.3)
CALM = SMALL.model_copy(update={"dropout": 0.0})
Weights = dict[str, Tensor]


def cyclic_batches(*, num_rows: int = 20, batch_size: int = 4) -> Batches:
    """Histories that go round through all items, from any start: what comes next is certain."""
    lengths = 3 + np.arange(num_rows) % 6
    starts = np.cumsum(lengths) - lengths
    within = np.arange(lengths.sum()) - np.repeat(starts, lengths)
    items = (np.repeat(np.arange(num_rows) * 5, lengths) + within) % NUM_ITEMS + 1
    return Batches(items.astype(np.int32), starts, starts + lengths, batch_size, seed=1)


BATCHES = cyclic_batches()
NUM_STEPS = len(list(BATCHES.epoch(1)))


def small_model(config: GRU4RecConfig = SMALL) -> GRU4Rec:
    model = build_model(config, num_items=NUM_ITEMS, seed=1)
    assert isinstance(model, GRU4Rec)
    return model


def snapshot(model: nn.Module) -> Weights:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def equal(left: Weights, right: Weights) -> bool:
    return left.keys() == right.keys() and all(left[name].equal(right[name]) for name in left)


def rising() -> Callable[[], Mapping[str, float]]:
    """A validation that finds every epoch better than the one before."""
    values = count(1)
    return lambda: {"NDCG@10": next(values) / 1000}


def train(
    model: SequenceEncoder,
    folder: Path,
    *,
    validate: Callable[[], Mapping[str, float]] | None = None,
    seed: int = 0,
    listener: Listener | None = None,
    **settings: Any,
) -> Fit:
    config = TrainingConfig.model_validate({"epochs": 2, "learning_rate": 0.01, "precision": "float32", **settings})
    validate = validate or rising()
    return fit(model, BATCHES, config, validate=validate, keeping=Keeping(folder), seed=seed, listener=listener)


def plain_steps(model: GRU4Rec, config: TrainingConfig) -> Iterator[None]:
    """Training as simple as can be: the penalties by hand, Adam by torch without any of its options."""
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters)
    batches = [torch.from_numpy(rows) for epoch in range(1, config.epochs + 1) for rows in BATCHES.epoch(epoch)]
    for number, rows in enumerate(batches, start=1):
        scores = model.encode(rows[:, :-1]) @ model.items.weight.T + model.bias  # (B, L, V + 1)
        targets = rows[:, 1:]
        loss = F.cross_entropy(scores[targets > 0][:, 1:], targets[targets > 0] - 1)
        loss = loss + config.embedding_l2 * model.items.weight.square().sum().sqrt()
        optimizer.zero_grad()
        loss.backward()
        gradients = [part.grad for part in parameters if part.grad is not None]
        norm = float(torch.cat([gradient.flatten() for gradient in gradients]).norm())
        share = min(1.0, config.clip_norm / norm) if config.clip_norm else 1.0
        rate = config.learning_rate * (min(1.0, number / config.warm_up_steps) if config.warm_up_steps else 1.0)
        with torch.no_grad():
            for part, gradient in zip(parameters, gradients, strict=True):
                gradient.mul_(share)
                if config.optimizer == "adam":
                    gradient.add_(config.weight_decay * part)
                else:
                    part.mul_(1 - rate * config.weight_decay)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        yield


OPTIONS: list[dict[str, Any]] = [
    {},
    {"warm_up_steps": 8},
    {"clip_norm": 0.2},
    {"weight_decay": 0.1},
    {"optimizer": "adamw", "weight_decay": 0.9},
    {"embedding_l2": 0.5},
    {"averaging": 0.8},
    {"optimizer": "adamw", "weight_decay": 0.9, "warm_up_steps": 3, "clip_norm": 1.0, "averaging": 0.5},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "plain")
def test_the_trainer_is_a_plain_loop(options: dict[str, Any], tmp_path: Path) -> None:
    trained, plain, ordinary = small_model(CALM), small_model(CALM), small_model(CALM)
    train(trained, tmp_path / "with", **options)
    train(ordinary, tmp_path / "without")
    config = TrainingConfig.model_validate({"epochs": 2, "learning_rate": 0.01, **options})
    averaged: Weights = {}
    for step, _ in enumerate(plain_steps(plain, config)):
        share, newest = min(config.averaging, step / (step + 10)), snapshot(plain)
        averaged = {name: share * averaged.get(name, newest[name]) + (1 - share) * newest[name] for name in newest}
    assert equal(trained.state_dict(), ordinary.state_dict()) == (not options)
    for name, tensor in trained.state_dict().items():
        torch.testing.assert_close(tensor, averaged[name], rtol=1e-3, atol=1e-4)


def test_the_environment_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, under_another = small_model(), small_model()
    train(plain, tmp_path / "plain")
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    train(under_another, tmp_path / "under another")
    assert equal(plain.state_dict(), under_another.state_dict())


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        pytest.param(SMALL, {}, id="dropout"),
        pytest.param(CALM, {"loss": "sampled-bce", "num_negatives": 2}, id="negatives"),
    ],
)
def test_equal_seeds_make_equal_bits_and_leave_chance_alone(
    config: GRU4RecConfig, settings: dict[str, Any], tmp_path: Path
) -> None:
    results = []
    for disturbance, seed in [(10, 1), (20, 1), (10, 2)]:
        torch.manual_seed(disturbance)
        before = torch.random.get_rng_state()
        model = small_model(config)
        fitted = train(model, tmp_path / f"{disturbance}-{seed}", seed=seed, **settings)
        assert torch.random.get_rng_state().equal(before)
        results.append((snapshot(model), [epoch.loss for epoch in fitted.epochs]))
    first, again, other = results
    assert equal(first[0], again[0])
    assert first[1] == again[1]
    assert not equal(first[0], other[0])
    assert first[1] != other[1]


class Judge:
    """A validation with values made up beforehand, that remembers the weights it saw."""

    def __init__(self, model: nn.Module, values: list[float]) -> None:
        self.model = model
        self.values = values
        self.seen: list[Weights] = []

    def __call__(self) -> Mapping[str, float]:
        assert not self.model.training
        self.seen.append(snapshot(self.model))
        return {"NDCG@10": self.values[len(self.seen) - 1], "HR@10": 0.5}


@pytest.mark.parametrize(
    ("values", "settings", "num_epochs", "best_epoch"),
    [
        pytest.param([0.1, 0.3, 0.2, 0.25], {"patience": 2}, 4, 2, id="stops after two without a better one"),
        pytest.param([0.3, 0.1, 0.4, 0.2, 0.2], {"patience": 2}, 5, 3, id="a better one starts the count again"),
        pytest.param([0.3, 0.3, 0.3], {"patience": 2}, 3, 1, id="equal is not better"),
        pytest.param([0.5, 0.4, 0.3, 0.2, 0.1, 0.0], {"patience": 0}, 6, 1, id="no patience never stops"),
        pytest.param([0.0, 0.0], {"patience": 1}, 2, 1, id="nothing is better than zero"),
        pytest.param([0.2, 0.1], {"patience": 2, "validate_every": 2}, 4, 2, id="patience is in epochs"),
        pytest.param([0.2, 0.3, 0.1], {"patience": 1, "validate_every": 2}, 6, 4, id="no stop between validations"),
        pytest.param([0.1, 0.2], {"patience": 9, "validate_every": 4}, 6, 6, id="the last epoch is always judged"),
        pytest.param([0.1, 0.3, 0.2], {"patience": 1, "averaging": 0.9}, 3, 2, id="with averaged weights"),
    ],
)
def test_the_best_epochs_weights_are_kept(
    values: list[float], settings: dict[str, Any], num_epochs: int, best_epoch: int, tmp_path: Path
) -> None:
    model = small_model()
    judge = Judge(model, values)
    fitted = train(model, tmp_path, validate=judge, **{"epochs": 6, **settings})
    judged = [epoch.epoch for epoch in fitted.epochs if epoch.validation is not None]
    assert [epoch.epoch for epoch in fitted.epochs] == list(range(1, num_epochs + 1))
    assert fitted.best_epoch == best_epoch
    assert len(judge.seen) == len(judged) == len(values)
    best = judge.seen[judged.index(best_epoch)]
    assert equal(model.state_dict(), best)
    assert equal(load_file(tmp_path / "best.safetensors"), best)
    assert sum(equal(best, seen) for seen in judge.seen) == 1
    assert not model.training


def test_training_goes_on_from_the_moving_weights_not_the_averaged_ones(tmp_path: Path) -> None:
    often, once = small_model(), small_model()
    train(often, tmp_path / "often", averaging=0.9, epochs=3)
    train(once, tmp_path / "once", averaging=0.9, epochs=3, validate_every=3)
    assert equal(often.state_dict(), once.state_dict())


def test_dropout_is_on_in_every_epoch(tmp_path: Path) -> None:
    model = small_model()
    modes: list[bool] = []
    model.items.register_forward_hook(lambda *_: modes.append(model.training))
    model.eval()
    train(model, tmp_path, epochs=2)
    assert modes == [True] * 2 * NUM_STEPS


def test_the_listener_is_told_of_steps_and_epochs(tmp_path: Path) -> None:
    told: list[TrainingStep | Epoch] = []
    fitted = train(small_model(), tmp_path, listener=Listener(told.append, told.append))
    steps = [event for event in told if isinstance(event, TrainingStep)]
    epochs = [event for event in told if isinstance(event, Epoch)]
    assert [(step.epoch, step.step) for step in steps] == [(e, s) for e in (1, 2) for s in range(1, NUM_STEPS + 1)]
    assert [place for place, event in enumerate(told) if isinstance(event, Epoch)] == [NUM_STEPS, 2 * NUM_STEPS + 1]
    assert tuple(epochs) == fitted.epochs
    assert {step.num_steps for step in steps} == {BATCHES.num_steps}
    assert [epoch.loss for epoch in epochs] == [step.loss for step in steps if step.step == NUM_STEPS]
    num_targets = int((BATCHES.ends - BATCHES.starts - 1).sum())
    assert [step.num_targets for step in steps if step.step == NUM_STEPS] == [num_targets] * 2
    assert 0 < epochs[0].seconds < epochs[1].seconds == fitted.seconds
    assert all(step.seconds > 0 for step in steps)
    assert fitted.epochs[1].validation == {"NDCG@10": 0.002}


def test_the_loss_told_is_the_mean_over_targets(tmp_path: Path) -> None:
    model = small_model(CALM)
    total, number = 0.0, 0
    for rows in cyclic_batches(batch_size=2).epoch(1):
        items = torch.from_numpy(rows)
        scores = (model.encode(items[:, :-1]) @ model.items.weight.T + model.bias).detach()
        targets = items[:, 1:]
        total += float(F.cross_entropy(scores[targets > 0][:, 1:], targets[targets > 0] - 1, reduction="sum"))
        number += int((targets > 0).sum())
    fitted = train(model, tmp_path, epochs=1, learning_rate=1e-12)
    assert fitted.epochs[0].loss == pytest.approx(total / number, rel=1e-5)


@pytest.mark.parametrize("objective", ["next-item", "last-item"])
@pytest.mark.parametrize("loss", get_args(LossName))
def test_every_loss_falls(loss: str, objective: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"loss": loss, "objective": objective, "num_negatives": 4}
    fitted = train(small_model(CALM), tmp_path, epochs=12, learning_rate=0.03, **options)
    losses = [epoch.loss for epoch in fitted.epochs]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("loss", ["softmax", "bce"])
def test_losses_fall_in_bfloat16_too(loss: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gsrec.training.training.MANY_NUMBERS", 1)
    monkeypatch.setattr("gsrec.training.scores.CHUNK_ROWS", 4)
    fitted, exact = (
        train(small_model(CALM), tmp_path / precision, loss=loss, precision=precision, epochs=6, learning_rate=0.03)
        for precision in ("bfloat16", "float32")
    )
    assert fitted.epochs[-1].loss != exact.epochs[-1].loss
    assert fitted.epochs[-1].loss == pytest.approx(exact.epochs[-1].loss, rel=0.1)


def test_few_events_go_through_in_float32(tmp_path: Path) -> None:
    narrow, exact = (
        train(small_model(CALM), tmp_path / precision, precision=precision) for precision in ("bfloat16", "float32")
    )
    assert [epoch.loss for epoch in narrow.epochs] == [epoch.loss for epoch in exact.epochs]


@pytest.mark.parametrize("loss", ["sampled-bce", "sampled-softmax", "gbce", "sce"])
def test_with_negatives_a_step_learns_only_the_rows_it_looked_at(loss: LossName, tmp_path: Path) -> None:
    many, row = 500, np.array([7, 8, 9], dtype=np.int32)
    model = build_model(SASRecConfig(embedding_size=8, max_length=4), num_items=many, seed=1)
    assert isinstance(model, SASRec)
    before = model.items.weight.detach().clone()
    config = TrainingConfig(loss=loss, num_negatives=5, epochs=1, averaging=0.9)
    batches = Batches(row, np.array([0]), np.array([3]), 1, seed=0)
    fit(model, batches, config, validate=rising(), keeping=Keeping(tmp_path))
    changed = (model.items.weight != before).any(1).nonzero().flatten().tolist()
    assert {7, 8, 9} <= set(changed)
    assert 0 not in changed
    assert len(changed) <= 3 + 2 * 2 * 5


class LargestTensor(TorchDispatchMode):
    """Remembers how many values the largest tensor had that any operation gave, the item table's like left out."""

    def __init__(self, table: tuple[int, ...]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tables = (table, (table[0] - 1, *table[1:]), tuple(reversed((table[0] - 1, *table[1:]))))
        self.numel = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: object, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and tuple(result.shape) not in self.tables:
            self.numel = max(self.numel, result.numel())
        return result


@pytest.mark.parametrize("loss", get_args(LossName))
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_never_holds_the_scores_of_all_targets(loss: LossName, precision: PrecisionName) -> None:
    num_items, num_rows, length = 2000, 32, 41
    model = build_model(SASRecConfig(embedding_size=8, max_length=40), num_items=num_items, seed=1)
    assert isinstance(model, SASRec)
    training = Training(model, BATCHES, TrainingConfig(loss=loss, precision=precision, num_negatives=20), seed=0)
    rows = torch.randint(1, num_items + 1, (num_rows, length))
    with LargestTensor((num_items + 1, 8)) as largest:
        training.step(rows)
    num_targets = num_rows * (length - 1)
    assert largest.numel <= CHUNK_ROWS * num_items < num_targets * num_items / 4


@pytest.mark.parametrize("settings", [{"weight_decay": 0.1}, {"clip_norm": 1.0}, {"embedding_l2": 0.1}])
def test_what_is_due_to_all_rows_is_given_to_all(settings: dict[str, Any], tmp_path: Path) -> None:
    model = small_model(CALM)
    before = snapshot(model)["items.weight"]
    train(model, tmp_path, epochs=1, loss="sampled-bce", **settings)
    assert not model.items.sparse
    assert (model.items.weight != before).any(1)[1:].all()


def test_masked_items_need_a_mask(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"masked-item objective needs a model with a \[MASK\], such as bert4rec"):
        train(small_model(), tmp_path, objective="masked-item")


def test_masked_items_train_a_bert4rec(tmp_path: Path) -> None:
    config = BERT4RecConfig(embedding_size=16, num_blocks=1, max_length=10, dropout=0.0)
    model = build_model(config, num_items=NUM_ITEMS, seed=1)
    assert isinstance(model, BERT4Rec)
    options: dict[str, Any] = {"objective": "masked-item", "mask_share": 0.4}
    fitted = train(model, tmp_path, epochs=32, learning_rate=0.003, **options)
    losses = [epoch.loss for epoch in fitted.epochs]
    assert losses[-1] < 0.7 * losses[0]


class Bystander:
    """Encodes, but is no module of torch."""

    num_items = NUM_ITEMS
    max_length: int | None = None
    max_row = 9
    item_weights = torch.zeros(NUM_ITEMS + 1, 4)
    item_bias = None

    def encode(self, items: Tensor) -> Tensor:
        return torch.zeros(*items.shape, 4)


def test_only_a_module_can_be_trained(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"a model to train must be a torch\.nn\.Module, found Bystander"):
        train(Bystander(), tmp_path)


class Breaking(GRU4Rec):
    """Gives hidden vectors that are no numbers after so many batches."""

    good = 0

    def encode(self, items: Tensor) -> Tensor:
        self.good -= 1
        return super().encode(items) * (1.0 if self.good >= 0 else torch.nan)


@pytest.mark.parametrize(
    ("good", "place", "kept"),
    [
        (0, "step 1 of epoch 1", "no epoch was validated before"),
        (NUM_STEPS - 1, f"step {NUM_STEPS} of epoch 1", "no epoch was validated before"),
        (NUM_STEPS, "step 1 of epoch 2", "the best weights so far are in {best}"),
        (2 * NUM_STEPS + 2, "step 3 of epoch 3", "the best weights so far are in {best}"),
    ],
)
def test_a_loss_that_is_not_finite_ends_training(good: int, place: str, kept: str, tmp_path: Path) -> None:
    model, best = Breaking(NUM_ITEMS, SMALL), tmp_path / "best.safetensors"
    steps: list[TrainingStep] = []
    model.good = good
    before = snapshot(model)
    with pytest.raises(TrainingError) as caught:
        train(model, tmp_path, epochs=4, listener=Listener(steps.append))
    assert str(caught.value) == (
        f"the loss became nan at {place}; {kept.format(best=best)}. "
        "Lower learning_rate, or set clip_norm (1.0 is usual)."
    )
    assert len(steps) == good
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    assert equal(before, model.state_dict()) == (good == 0)
    if best.exists():
        assert all(tensor.isfinite().all() for tensor in load_file(best).values())


def test_a_learning_rate_far_too_high(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"the loss became (inf|nan) at step \d of epoch 1; .* Lower learning_rate"):
        train(small_model(), tmp_path, learning_rate=1e30)


def test_one_items_catalogue_trains(tmp_path: Path) -> None:
    batches = Batches(np.ones(6, dtype=np.int32), np.array([0, 3]), np.array([3, 6]), 2, seed=0)
    for loss in get_args(LossName):
        model = build_model(SMALL, num_items=1)
        assert isinstance(model, GRU4Rec)
        config = TrainingConfig(loss=loss, epochs=1)
        fitted = fit(model, batches, config, validate=rising(), keeping=Keeping(tmp_path / loss))
        assert np.isfinite(fitted.epochs[0].loss)


def test_cosines_are_validated_as_the_weights_are_now() -> None:
    config = CALM.model_copy(update={"temperature": 0.1})
    model = small_model(config)
    seen: list[Tensor] = []

    def validate() -> dict[str, float]:
        with torch.no_grad():
            directions, table = model.item_weights.clone(), model.items.weight
            assert directions.equal(F.normalize(table))
        seen.append(directions)
        return {"NDCG@10": float(len(seen))}

    with TemporaryDirectory() as folder:
        settings = TrainingConfig(epochs=3, batch_size=4, averaging=0.0)
        fit(model, BATCHES, settings, validate=validate, keeping=Keeping(Path(folder)))
    assert len(seen) == 3
    assert not seen[0].equal(seen[2])
