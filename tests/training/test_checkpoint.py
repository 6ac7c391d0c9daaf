"""Weights come back as they were saved."""

import resource
from pathlib import Path

import pytest
import torch

from gsrec.errors import DataError
from gsrec.models import GSRecConfig, build_model
from gsrec.training.checkpoint import load_weights, save_weights

CONFIG = GSRecConfig(embedding_size=4, num_heads=1, recurrent_size=4, window=3)


def test_weights_come_back(tmp_path: Path) -> None:
    saved, other = (build_model(CONFIG, num_items=5, seed=seed) for seed in (1, 2))
    save_weights(saved, tmp_path / "new" / "last.safetensors")
    load_weights(other, tmp_path / "new" / "last.safetensors")
    pairs = zip(saved.state_dict().items(), other.state_dict().items(), strict=True)
    assert all(left[0] == right[0] and left[1].equal(right[1]) for left, right in pairs)


def test_a_tensor_that_is_not_in_one_piece_is_saved_too(tmp_path: Path) -> None:
    model, other = torch.nn.Linear(3, 2, bias=False), torch.nn.Linear(3, 2, bias=False)
    model.weight = torch.nn.Parameter(torch.arange(6.0).view(3, 2).T)
    save_weights(model, tmp_path / "last.safetensors")
    load_weights(other, tmp_path / "last.safetensors")
    assert other.weight.tolist() == [[0, 2, 4], [1, 3, 5]]


def test_a_full_disk_is_told_and_leaves_the_old_weights(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    path.write_text("old", encoding="utf-8")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(DataError, match=r"cannot write .*last\.safetensors: File too large"):
            save_weights(build_model(CONFIG, num_items=5), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [found.name for found in tmp_path.iterdir()] == ["last.safetensors"]
    assert path.read_text(encoding="utf-8") == "old"
