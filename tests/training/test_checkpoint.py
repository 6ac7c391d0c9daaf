"""Weights come back as they were saved."""

import resource
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gsrec.errors import DataError
from gsrec.models import GSRecConfig, build_model
from gsrec.training.checkpoint import Snapshot, load_state, save_state, save_weights

CONFIG = GSRecConfig(embedding_size=4, num_heads=1, recurrent_size=4, window=3)


def test_weights_come_back(tmp_path: Path) -> None:
    saved = build_model(CONFIG, num_items=5, seed=1).state_dict()
    save_weights(saved, tmp_path / "new" / "last.safetensors")
    found = load_file(tmp_path / "new" / "last.safetensors")
    assert {name: one.tolist() for name, one in found.items()} == {name: one.tolist() for name, one in saved.items()}


def test_a_tensor_that_is_not_in_one_piece_is_saved_too(tmp_path: Path) -> None:
    save_weights({"weight": torch.arange(6.0).view(3, 2).T}, tmp_path / "last.safetensors")
    assert load_file(tmp_path / "last.safetensors")["weight"].tolist() == [[0, 2, 4], [1, 3, 5]]


def test_a_full_disk_is_told_and_leaves_the_old_weights(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    path.write_text("old", encoding="utf-8")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(DataError, match=r"cannot write .*last\.safetensors: File too large"):
            save_weights(build_model(CONFIG, num_items=5).state_dict(), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [found.name for found in tmp_path.iterdir()] == ["last.safetensors"]
    assert path.read_text(encoding="utf-8") == "old"


def keep(folder: Path, version: int) -> None:
    save_state(Snapshot({"a": torch.tensor([version])}, {}), folder, identity={})


def found(folder: Path) -> int | None:
    state, _ = load_state(folder, identity={})
    return None if state is None else int(state.tensors["a"])


def test_a_damaged_state_is_removed_so_that_a_good_one_is_never_pushed_out_by_it(tmp_path: Path) -> None:
    for version in (1, 2):
        keep(tmp_path, version)
    (tmp_path / "state-000002.safetensors").write_bytes(b"no")
    assert found(tmp_path) == 1
    keep(tmp_path, 3)
    (tmp_path / "state-000002.safetensors").write_bytes(b"no")
    assert found(tmp_path) == 1


def test_other_files_beside_the_states_do_not_matter(tmp_path: Path) -> None:
    keep(tmp_path, 1)
    for name in ("state-000003 (copy).json", "state-x.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    keep(tmp_path, 2)
    assert found(tmp_path) == 2


def test_facts_nested_too_deep_are_damage(tmp_path: Path) -> None:
    keep(tmp_path, 1)
    (tmp_path / "state-000001.json").write_text("[" * 100_000, encoding="utf-8")
    assert found(tmp_path) is None
