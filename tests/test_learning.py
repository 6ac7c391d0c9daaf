"""Two-sided: every model learns what there is to learn in a Markov log, and finds nothing in noise.

In the log the next item is, with a known probability, the one fixed successor of the item before. A guess hits it once
in V times, the best possible model as often as that probability says: the bound. In noise the best is popularity.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gsrec.data import synthetic_log
from gsrec.data.batches import training_batches
from gsrec.data.splits import Split, leave_one_out
from gsrec.evaluation.evaluator import Evaluator, Protocol
from gsrec.evaluation.metrics import hit_rate, ndcg
from gsrec.evaluation.significance import paired_test
from gsrec.models import (
    BERT4RecConfig,
    GRU4RecConfig,
    GSRecConfig,
    ModelConfig,
    PopRec,
    PopRecConfig,
    SASRecConfig,
    SequenceEncoder,
    build_model,
)
from gsrec.training.config import TrainingConfig
from gsrec.training.course import Keeping
from gsrec.training.trainer import fit

NUM_ITEMS, BOUND = 40, 0.9
SMALL = {"embedding_size": 32, "max_length": 20, "dropout": 0.1}
BLOCK = {**SMALL, "num_blocks": 1}
GSREC = {**BLOCK, "recurrent_size": 32}
THESIS = {"num_heads": 1, "window": "all", "feed_forward": False, "residual": False, "tied_weights": False}
MASKED = {"objective": "masked-item", "mask_share": 0.3, "mask_last_share": 0.3, "epochs": 32}

Learner = tuple[ModelConfig, dict[str, Any]]
LEARNERS: dict[str, Learner] = {
    "gru4rec": (GRU4RecConfig.model_validate({**SMALL, "recurrent_size": 32}), {}),
    "sasrec": (SASRecConfig.model_validate(BLOCK), {}),
    "bert4rec": (BERT4RecConfig.model_validate(BLOCK), MASKED),
    "gsrec": (GSRecConfig.model_validate({**GSREC, "window": 8}), {}),
    "gsrec-thesis": (
        GSRecConfig.model_validate({**GSREC, **THESIS}),
        {"objective": "last-item", "loss": "bce", "epochs": 16},
    ),
}
VARIANTS: dict[str, Learner] = {
    "sampled-softmax": (LEARNERS["sasrec"][0], {"loss": "sampled-softmax", "num_negatives": 20, "epochs": 12}),
    "sampled-bce": (LEARNERS["sasrec"][0], {"loss": "sampled-bce", "num_negatives": 4, "epochs": 12}),
    "gbce": (LEARNERS["sasrec"][0], {"loss": "gbce", "num_negatives": 4, "epochs": 14}),
    "lstm": (GSRecConfig.model_validate({**GSREC, "window": 8, "cell": "lstm"}), {}),
    "rnn": (GSRecConfig.model_validate({**GSREC, "window": 8, "cell": "rnn"}), {}),
}


def split_of(predictability: float) -> Split:
    log = synthetic_log(num_users=600, num_items=NUM_ITEMS, mean_length=14, predictability=predictability, seed=3)
    return leave_one_out(log.to_sequences())


@pytest.fixture(scope="module")
def signal() -> Split:
    return split_of(BOUND)


@pytest.fixture(scope="module")
def noise() -> Split:
    return split_of(0.0)


def ranks_of_popularity(split: Split) -> np.ndarray:
    """The ranks of the test targets (M,) by counts in the whole log, test included: in noise none can be better."""
    model, ends = PopRec(split.sequences.num_items, PopRecConfig()), split.sequences.offsets[1:]
    model.count(Split(split.sequences, ends, ends))
    return Evaluator(split, Protocol("test", filter_seen=False)).evaluate(model).ranks


def ranks_of(learner: Learner, split: Split, folder: Path) -> np.ndarray:
    """The ranks of the test targets (M,) after training, seen items being candidates as in the chain."""
    model = build_model(learner[0], num_items=split.sequences.num_items, seed=1)
    assert isinstance(model, SequenceEncoder)
    defaults = {"epochs": 8, "learning_rate": 0.01, "batch_size": 32, "patience": 0, "precision": "float32"}
    config = TrainingConfig.model_validate({"validate_every": 99, **defaults, **learner[1]})
    batches = training_batches(split, length=model.max_row, batch_size=config.batch_size, seed=1)
    judge = Evaluator(split, Protocol("validation", filter_seen=False))
    fit(model, batches, config, validate=lambda: judge.evaluate(model).metrics, keeping=Keeping(folder), seed=1)
    return Evaluator(split, Protocol("test", filter_seen=False)).evaluate(model).ranks


@pytest.mark.parametrize("name", [*LEARNERS, *VARIANTS])
def test_the_signal_is_learned(name: str, signal: Split, tmp_path: Path) -> None:
    hits = hit_rate(ranks_of((LEARNERS | VARIANTS)[name], signal, tmp_path), 1).mean()
    assert 0.85 * BOUND < hits < BOUND + 0.05  # chance in 600 targets, and popular successors, may lift it above


@pytest.mark.parametrize("name", LEARNERS)
def test_nothing_is_found_in_noise(name: str, noise: Split, tmp_path: Path) -> None:
    model, settings = LEARNERS[name]
    ranks = ranks_of((model, {**settings, "epochs": 8}), noise, tmp_path)
    by_popularity = ranks_of_popularity(noise)
    for found, known in (
        (ndcg(ranks, 10), ndcg(by_popularity, 10)),
        (hit_rate(ranks, 1), hit_rate(by_popularity, 1)),  # another item may be the test targets' own favourite
    ):
        test = paired_test(found, known)
        assert test.difference < 0 or test.p_value > 0.05


def test_popularity_knows_nothing_of_order(signal: Split) -> None:
    assert 0 < hit_rate(ranks_of_popularity(signal), 1).mean() < 3 / NUM_ITEMS
