"""What is saved can be loaded again, and what was damaged since is refused with the reason."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gsrec.bundle import MANIFEST, VOCABULARY, WEIGHTS, Bundle, DataFacts, load_bundle, save_bundle
from gsrec.data.synthetic import synthetic_log
from gsrec.data.vocabulary import ItemId, Vocabulary
from gsrec.errors import BundleError, DataError
from gsrec.models import (
    BERT4RecConfig,
    GRU4RecConfig,
    GSRecConfig,
    ModelConfig,
    PopRec,
    PopRecConfig,
    SASRecConfig,
    build_model,
)

CONFIGS: dict[str, ModelConfig] = {
    "poprec": PopRecConfig(days=7.5),
    "gru4rec": GRU4RecConfig(embedding_size=4, recurrent_size=6, cell="lstm", num_recurrent_layers=2),
    "sasrec": SASRecConfig(embedding_size=4, max_length=5, feed_forward=False),
    "bert4rec": BERT4RecConfig(embedding_size=4, num_blocks=1, max_length=5),
    "gsrec": GSRecConfig(embedding_size=4, recurrent_size=6, window=3),
    "gsrec-thesis": GSRecConfig(embedding_size=4, window="all", residual=False, tied_weights=False, max_length=5),
}
IDS: dict[str, list[ItemId]] = {"integers": [30, -1, 7], "strings": ["é", "", "7", '"quoted"', "\U0001f375"]}


def made(config: ModelConfig = CONFIGS["gru4rec"], ids: list[ItemId] = IDS["integers"]) -> Bundle:
    facts = DataFacts(name="log", fingerprint="f" * 64, num_users=2, num_items=len(ids), num_interactions=9)
    model = build_model(config, num_items=len(ids), seed=4)
    if isinstance(model, PopRec):
        model.counts = torch.arange(len(ids) + 1.0)
    return Bundle(model, config, Vocabulary.of(ids), facts)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle, saved."""
    save_bundle(made(), tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.mark.parametrize("ids", IDS)
@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_saved_is_loaded(tmp_path: Path, name: str, ids: str) -> None:
    bundle = made(CONFIGS[name], IDS[ids])
    save_bundle(bundle, tmp_path / "a" / "bundle")
    loaded = load_bundle(tmp_path / "a" / "bundle")
    assert (loaded.config, loaded.data) == (bundle.config, bundle.data)
    assert loaded.vocabulary.ids.to_list() == IDS[ids]
    assert loaded.vocabulary.ids.dtype == bundle.vocabulary.ids.dtype
    saved, found = bundle.model.state_dict(), loaded.model.state_dict()
    assert saved.keys() == found.keys()
    assert all(found[key].equal(saved[key]) for key in saved)
    assert not loaded.model.training
    histories = torch.tensor([[1, 2, 3], [2, 0, 0]])
    assert loaded.model.score(histories).equal(bundle.model.eval().score(histories))


def test_a_bundle_is_three_files_that_run_no_code(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, VOCABULARY, WEIGHTS]
    assert json.loads((folder / VOCABULARY).read_text(encoding="utf-8")) == [30, -1, 7]
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    assert set(manifest) == {"format", "model", "data", "checksums"}
    for name, checksum in manifest["checksums"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum


def test_a_bundle_takes_the_place_of_another(folder: Path) -> None:
    save_bundle(made(CONFIGS["sasrec"], IDS["strings"]), folder)
    assert load_bundle(folder).config == CONFIGS["sasrec"]
    assert load_bundle(folder).vocabulary.ids.to_list() == IDS["strings"]


def test_the_facts_of_data() -> None:
    sequences = synthetic_log(num_users=5, num_items=4, mean_length=4).to_sequences()
    facts = DataFacts.of(sequences)
    assert (facts.name, facts.fingerprint) == ("synthetic", sequences.fingerprint)
    assert (facts.num_users, facts.num_items, facts.num_interactions) == (5, 4, sequences.num_interactions)


@pytest.mark.parametrize("name", [WEIGHTS, VOCABULARY])
def test_a_file_that_is_not_the_one_saved(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for damaged in (b"", content[:-1], content + b" ", content.replace(content[-3:-2], b"x", 1)):
        (folder / name).write_bytes(damaged)
        with pytest.raises(BundleError, match=f"{name} is missing or not the file that was saved"):
            load_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing or not the file that was saved. Train or copy it again"):
        load_bundle(folder)


def test_without_a_manifest_there_is_no_bundle(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    for place in (folder, folder / "nowhere", folder / WEIGHTS):
        with pytest.raises(BundleError, match=r"holds no trained model: manifest\.json cannot be read"):
            load_bundle(place)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Invalid JSON: EOF while parsing a value"),
        (b'{"format": 1, ', "Invalid JSON: EOF while parsing"),
        (b"[]", "Input should be an object"),
        (b"{}", "model: Field required"),
        (b"\xff", "holds no trained model: manifest.json cannot be read"),
    ],
    ids=["empty", "cut", "list", "without content", "bytes"],
)
def test_a_manifest_that_cannot_be_read(folder: Path, content: bytes, message: str) -> None:
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError) as told:
        load_bundle(folder)
    assert message in str(told.value)
    assert ": : " not in str(told.value)


def _of_next_format(manifest: dict[str, Any]) -> None:
    manifest["format"] = 2


def _with_more(manifest: dict[str, Any]) -> None:
    manifest["model"]["heads"] = 2


def _of_an_unknown_model(manifest: dict[str, Any]) -> None:
    manifest["model"]["name"] = "transformer"


def _without_checksum(manifest: dict[str, Any]) -> None:
    del manifest["checksums"][WEIGHTS]


def _wider(manifest: dict[str, Any]) -> None:
    manifest["model"]["embedding_size"] = 8


def _of_another_model(manifest: dict[str, Any]) -> None:
    manifest["model"] = {"name": "sasrec", "embedding_size": 4}


def _impossible(manifest: dict[str, Any]) -> None:
    manifest["model"] = {"name": "sasrec", "embedding_size": 4, "num_heads": 3}


MANIFESTS: dict[Callable[[dict[str, Any]], None], str] = {
    _of_next_format: "manifest.json is damaged or of another version: format: Input should be 1. This version knows",
    _with_more: "model.gru4rec.heads: Extra inputs are not permitted",
    _of_an_unknown_model: "Input tag 'transformer' found using 'name' does not match any of the expected tags",
    _without_checksum: "weights.safetensors is missing or not the file that was saved",
    _wider: "does not fit together: Error(s) in loading state_dict for GRU4Rec: \tsize mismatch for bias",
    _of_another_model: "does not fit together: Error(s) in loading state_dict for SASRec: \tMissing key(s)",
    _impossible: "does not fit together: embedding_size must be a multiple of num_heads, found 4 and 3",
}


@pytest.mark.parametrize("change", MANIFESTS, ids=lambda change: change.__name__)
def test_a_manifest_that_was_changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError) as told:
        load_bundle(folder)
    assert MANIFESTS[change].replace("bias", "") in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 1, 2]", "a vocabulary must hold every item id once"),
        ('[1, "a", 2]', "item ids must be all integers or all strings"),
        ("[1, 2]", "size mismatch"),
        ("[1.5, 2.5, 3.5]", "item ids must be integers or strings"),
        ("[[1], [2], [3]]", "item ids must be"),
        ("null", "'NoneType' object is not iterable"),
        ("{", "Expecting property name"),
    ],
)
def test_contents_that_do_not_fit_together(folder: Path, content: str, message: str) -> None:
    (folder / VOCABULARY).write_text(content, encoding="utf-8")
    _sign(folder)
    with pytest.raises(BundleError, match="does not fit together") as told:
        load_bundle(folder)
    assert message in str(told.value)


def test_weights_that_are_none(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"no weights")
    _sign(folder)
    with pytest.raises(BundleError, match="does not fit together"):
        load_bundle(folder)


def _sign(folder: Path) -> None:
    """Make the checksums those of the files as they are."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for name in manifest["checksums"]:
        manifest["checksums"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize("number", [1, 2, 3], ids=["weights", "vocabulary", "manifest"])
def test_a_full_disk_leaves_no_bundle(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    calls: list[int] = []
    fsync = os.fsync

    def fill_up(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fill_up)
    for place in (tmp_path / "new", folder):  # in the second the disk has room again, until it is full once more
        calls.clear()
        with pytest.raises(DataError, match=r"cannot write .*: No space left on device"):
            save_bundle(made(CONFIGS["sasrec"]), place)
        assert not [path for path in place.iterdir() if path.name.startswith(".")]
        with pytest.raises(BundleError, match="holds no trained model"):
            load_bundle(place)


def test_a_place_that_cannot_be_written(folder: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write .* Give a folder that can be written to"):
        save_bundle(made(), folder / WEIGHTS / "bundle")
