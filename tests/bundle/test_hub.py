"""A bundle goes to the hub and comes back as it was, from a folder too; what the hub refuses is told."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch

from gsrec.bundle import MANIFEST, Bundle, save_bundle
from gsrec.bundle.hub import from_pretrained, push_to_hub
from gsrec.data.splits import leave_one_out
from gsrec.data.synthetic import synthetic_log
from gsrec.errors import BundleError, MissingExtraError
from gsrec.models import SASRecConfig, build_model


@pytest.fixture
def bundle() -> Bundle:
    """A model with weights as they come."""
    split = leave_one_out(synthetic_log(num_users=9, num_items=5, mean_length=6).to_sequences())
    config = SASRecConfig(embedding_size=4)
    model = build_model(config, num_items=split.sequences.num_items).eval()
    return Bundle.of(model, config, split, metrics={"NDCG@10": 0.25})


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that takes the place of the hub."""
    place = tmp_path / "hub"

    class Api:
        def __init__(self, token: str | None = None) -> None:
            self.token = token

        def create_repo(self, repository: str, *, private: bool, exist_ok: bool) -> None:
            assert private
            assert exist_ok
            (place / repository).mkdir(parents=True, exist_ok=True)

        def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str) -> SimpleNamespace:
            if self.token == "wrong":  # noqa: S105
                raise ValueError("this token may not write")
            shutil.copytree(folder_path, place / repo_id, dirs_exist_ok=True)
            return SimpleNamespace(commit_url=f"https://hub.example/{repo_id}")

    def download(repository: str, *, revision: str | None, token: str | None, allow_patterns: list[str]) -> str:
        if not (place / repository).exists():
            raise ValueError("no such repository")
        assert MANIFEST in allow_patterns
        return str(place / repository)

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return place


def test_there_and_back(bundle: Bundle, hub: Path) -> None:
    assert push_to_hub(bundle, "somebody/films") == "https://hub.example/somebody/films"
    card = (hub / "somebody/films/README.md").read_text(encoding="utf-8")
    assert "sasrec, trained on synthetic" in card
    assert "- NDCG@10: 0.2500" in card
    assert from_pretrained("somebody/films").fingerprint == bundle.fingerprint


def test_from_a_folder_or_a_file(bundle: Bundle, tmp_path: Path) -> None:
    for place in (tmp_path / "bundle", tmp_path / "bundle.gsrec"):
        save_bundle(bundle, place)
        items = torch.tensor([[1, 2]])
        assert from_pretrained(place).model.score(items).equal(bundle.model.score(items))


def test_what_the_hub_refuses(bundle: Bundle, hub: Path) -> None:
    with pytest.raises(BundleError, match="the hub did not take a/b: this token may not write"):
        push_to_hub(bundle, "a/b", token="wrong")  # noqa: S106
    with pytest.raises(BundleError, match="the hub gave no bundle a/nothing: no such repository"):
        from_pretrained("a/nothing")


def test_without_the_extra(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'gsrec\[hub\]'"):
        push_to_hub(bundle, "a/b")
