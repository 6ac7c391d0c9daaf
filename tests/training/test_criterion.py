"""What a configuration makes of a loss, and what popularity adds to it. The losses are in `tests/parity`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from gsrec.data.batches import Batches
from gsrec.models import build_model
from gsrec.models.gru4rec import GRU4Rec, GRU4RecConfig
from gsrec.training.config import OVER_CATALOGUE, LossName, TrainingConfig
from gsrec.training.course import Keeping
from gsrec.training.criterion import Criterion, log_shares
from gsrec.training.trainer import fit


class Table:
    """An encoder's item vectors, and a bias of the items or none."""

    num_items: int = 3
    max_length: int | None = None
    max_row: int = 2

    def __init__(self, bias: Tensor | None) -> None:
        self.item_weights = torch.tensor([[0.0, 0.0], [1.0, 2.0], [-1.0, 0.5], [0.3, 0.4]])
        self.item_bias = bias

    def encode(self, items: Tensor) -> Tensor:
        raise NotImplementedError


def loss_of(config: TrainingConfig, bias: Tensor | None, prior: Tensor | None = None) -> float:
    hidden, targets = torch.tensor([[0.5, 1.0], [2.0, -1.0]]), torch.tensor([3, 1])
    criterion = Criterion(
        config,
        Table(bias),
        torch.Generator().manual_seed(1),
        precision=torch.float32,
        sparse=False,
        prior=prior,
    )
    return float(criterion(hidden, targets))


@pytest.mark.parametrize("loss", get_args(LossName))
def test_a_prior_is_added_to_the_scores_in_every_loss(loss: LossName) -> None:
    own, prior = torch.tensor([0.0, 0.1, -0.2, 0.3]), log_shares(torch.tensor([0, 9, 0, 4]))
    config = TrainingConfig(loss=loss, num_negatives=3)
    assert loss_of(config, own, prior) == pytest.approx(loss_of(config, own + prior))
    assert loss_of(config, None, prior) == pytest.approx(loss_of(config, prior))
    assert loss_of(config, None, prior) != pytest.approx(loss_of(config, None))


@pytest.mark.parametrize("loss", sorted(set(get_args(LossName)) - set(OVER_CATALOGUE)))
def test_negatives_are_as_many_as_are_asked_for(loss: LossName) -> None:
    few, many = (loss_of(TrainingConfig(loss=loss, num_negatives=number), None) for number in (1, 3))
    assert few != pytest.approx(many)


def test_a_loss_is_calibrated_as_is_asked_for() -> None:
    none, full = (loss_of(TrainingConfig(loss="gbce", calibration=share), None) for share in (0.0, 1.0))
    assert none == pytest.approx(loss_of(TrainingConfig(loss="sampled-bce"), None))
    assert full != pytest.approx(none)


def test_what_is_learned_is_what_speaks_for_an_item_beyond_its_popularity(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    last = random.choice([3, 4], 600, p=[0.9, 0.1])  # whichever of 1 and 2 was first
    items = np.stack([random.integers(1, 3, 600), last], 1).astype(np.int32).ravel()
    batches = Batches(items, np.arange(0, 1200, 2), np.arange(2, 1202, 2), 60, seed=0)

    def difference(prior: float) -> float:
        model = build_model(GRU4RecConfig(embedding_size=4, recurrent_size=4, dropout=0.0), num_items=4, seed=1)
        assert isinstance(model, GRU4Rec)
        config = TrainingConfig(epochs=30, patience=0, learning_rate=0.03, popularity_prior=prior)
        fit(model, batches, config, validate=lambda: {"NDCG@10": next(better)}, keeping=Keeping(tmp_path / str(prior)))
        with torch.no_grad():
            scores = model.score(torch.tensor([[1], [2]]))
        return float((scores[:, 3] - scores[:, 4]).mean())

    better = iter(np.linspace(0.1, 0.9, 60).tolist())
    odds = float(np.log((last == 3).mean() / (last == 4).mean()))
    assert difference(0.0) == pytest.approx(odds, abs=0.3)
    assert difference(1.0) == pytest.approx(0.0, abs=0.3)
