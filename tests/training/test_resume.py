"""A training that was stopped ends, once resumed, with the bits of one that never was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn

from gsrec.data.batches import training_batches
from gsrec.data.splits import leave_one_out
from gsrec.data.synthetic import synthetic_log
from gsrec.errors import StoppedError, TrainingError
from gsrec.models import (
    BERT4RecConfig,
    GRU4RecConfig,
    GSRecConfig,
    ModelConfig,
    SASRecConfig,
    SequenceEncoder,
    build_model,
)
from gsrec.training.checkpoint import Snapshot, load_state, save_state
from gsrec.training.config import TrainingConfig
from gsrec.training.course import Fit, Keeping, Listener
from gsrec.training.trainer import fit

SPLIT = leave_one_out(synthetic_log(num_users=60, num_items=25, mean_length=10).to_sequences())
MODELS: dict[str, tuple[ModelConfig, dict[str, Any]]] = {
    "gsrec": (GSRecConfig(embedding_size=8, num_heads=1, recurrent_size=8, window=3), {"averaging": 0.9}),
    "gru4rec": (GRU4RecConfig(embedding_size=8, recurrent_size=8, num_recurrent_layers=2), {"warm_up_steps": 9}),
    "sasrec": (
        SASRecConfig(embedding_size=8, max_length=8),
        {"loss": "sampled-bce", "num_negatives": 2, "averaging": 0.9},
    ),
    "sasrec-shared": (
        SASRecConfig(embedding_size=8, max_length=8),
        {"loss": "sampled-softmax", "num_negatives": 9, "optimizer": "adamw", "weight_decay": 0.1},
    ),
    "bert4rec": (BERT4RecConfig(embedding_size=8, num_heads=1, max_length=8), {"objective": "masked-item"}),
}
EPOCHS = 3
IDENTITY = {"config": {"seed": 1}, "data": "some"}


def run(
    name: str,
    folder: Path,
    *,
    stop_at: int | None = None,
    resume: bool = False,
    identity: Mapping[str, Any] | None = None,
    listener: Listener | None = None,
) -> tuple[Fit, dict[str, Tensor]]:
    """Train; the model is validated by its own loss, so that the best epoch depends on every bit."""
    config, given_settings = MODELS[name]
    model = build_model(config, num_items=SPLIT.sequences.num_items, seed=1)
    assert isinstance(model, nn.Module)
    assert isinstance(model, SequenceEncoder)
    training = TrainingConfig.model_validate({"epochs": EPOCHS, "learning_rate": 0.01, **given_settings})
    batches = training_batches(SPLIT, length=model.max_row, batch_size=8, seed=1)
    steps = count(1)
    keeping = Keeping(
        folder,
        seconds=0.0,
        identity=identity or IDENTITY,
        resume=resume,
        stop=lambda: next(steps) == stop_at,
    )
    fitted = fit(
        model,
        batches,
        training,
        validate=lambda: {"NDCG@10": float(model.item_weights.detach().abs().sum())},
        keeping=keeping,
        seed=3,
        listener=listener,
    )
    return fitted, model.state_dict()


@cache
def never_stopped(name: str) -> tuple[Fit, dict[str, Tensor]]:
    with TemporaryDirectory() as folder:
        return run(name, Path(folder))


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=5)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=3))  # all before the last step
def test_the_same_bits_wherever_it_was_stopped(name: str, stops: list[int]) -> None:
    with TemporaryDirectory() as folder:
        check_stops(name, stops, Path(folder))


def check_stops(name: str, stops: list[int], folder: Path) -> None:
    for place, stop_at in enumerate(stops):
        with pytest.raises(StoppedError, match="and kept: resume it with `gsrec train"):
            run(name, folder, stop_at=stop_at, resume=bool(place))
        torch.manual_seed(stop_at)  # what else goes on in the process does not matter
    fitted, weights = run(name, folder, resume=True)
    expected, expected_weights = never_stopped(name)
    assert fitted.best_epoch == expected.best_epoch
    assert [epoch.loss for epoch in fitted.epochs] == [epoch.loss for epoch in expected.epochs]
    assert [epoch.validation for epoch in fitted.epochs] == [epoch.validation for epoch in expected.epochs]
    assert all(weights[key].equal(expected_weights[key]) for key in expected_weights)


def stopped(folder: Path) -> Path:
    with pytest.raises(StoppedError):
        run("gsrec", folder, stop_at=11)
    return folder


def test_two_states_are_kept_and_a_damaged_newest_one_is_told(tmp_path: Path) -> None:
    states = sorted(stopped(tmp_path).glob("state-*"))
    assert [path.suffix for path in states] == [".json", ".safetensors"] * 2
    content = states[-1].read_bytes()
    states[-1].write_bytes(content[:-3] + b"xyz")
    told: list[str] = []
    weights = run("gsrec", tmp_path, resume=True, listener=Listener(on_note=told.append))[1]
    assert f"the checkpoint {states[-1]} is damaged (it is not what was written): resuming from the one" in told[0]
    assert told[1] == "resuming epoch 2 after its step 2"
    assert all(weights[key].equal(never_stopped("gsrec")[1][key]) for key in weights)


@pytest.mark.parametrize("damage", ["cut", "gone", "json"])
def test_damage_of_every_kind_goes_back_to_the_state_before(tmp_path: Path, damage: str) -> None:
    *_, facts, newest = sorted(stopped(tmp_path).glob("state-*"))
    match damage:
        case "cut":
            newest.write_bytes(newest.read_bytes()[:99])
        case "gone":
            newest.unlink()
        case "json":
            facts.write_text("{}", encoding="utf-8")
    told: list[str] = []
    run("gsrec", tmp_path, resume=True, listener=Listener(on_note=told.append))
    assert "is damaged" in told[0]


def test_the_best_weights_are_those_of_the_state_whatever_becomes_of_their_file(tmp_path: Path) -> None:
    best = stopped(tmp_path) / "best.safetensors"
    content = bytearray(best.read_bytes())
    content[-1] ^= 0xFF
    best.write_bytes(content)
    weights = run("gsrec", tmp_path, resume=True)[1]
    assert all(weights[key].equal(never_stopped("gsrec")[1][key]) for key in weights)


def test_a_state_of_another_shape_is_refused(tmp_path: Path) -> None:
    stopped(tmp_path)
    state, _ = load_state(tmp_path, identity=IDENTITY)
    assert state is not None
    tensors = {name: one for name, one in state.tensors.items() if not name.startswith("model.")}
    save_state(Snapshot(tensors, state.facts), tmp_path, identity=IDENTITY)
    with pytest.raises(TrainingError, match=r"does not fit this training: .*\. Begin anew"):
        run("gsrec", tmp_path, resume=True)


def test_without_a_state_it_begins_anew_and_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    weights = run("gsrec", tmp_path, resume=True, listener=Listener(on_note=told.append))[1]
    assert told == ["there is no checkpoint to resume from: starting over"]
    assert all(weights[key].equal(never_stopped("gsrec")[1][key]) for key in weights)


def test_another_training_is_refused_and_what_differs_is_named(tmp_path: Path) -> None:
    stopped(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    other = {"config": {"seed": 2, "new": None}, "data": "other"}
    message = r"another training: data was 'some' and is now 'other'; config\.seed was 1 and is now 2\. Resume it with"
    with pytest.raises(TrainingError, match=message):
        run("gsrec", tmp_path, resume=True, identity=other)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_states_are_safetensors_and_json(tmp_path: Path) -> None:
    stopped(tmp_path)
    facts, tensors = sorted(tmp_path.glob("state-*"))[-2:]
    told = json.loads(facts.read_text(encoding="utf-8"))
    assert set(told) == {"identity", "facts", "sha256"}
    assert "random.global" in load_file(tensors)
