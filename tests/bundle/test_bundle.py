"""What is saved can be loaded again, and what was damaged since is refused with the reason."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save, save_file

from gsrec.bundle import MANIFEST, POPULARITY, VOCABULARY, WEIGHTS, Bundle, DataFacts, load_bundle, save_bundle, storage
from gsrec.bundle.inspection import inspect_bundle
from gsrec.bundle.manifest import Manifest, digest_of
from gsrec.data.splits import leave_one_out
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
    counts = torch.arange(len(ids) + 1)
    told = {"settings": {"seed": 1}, "metrics": {"NDCG@10": 0.5}, "licence": "do what you like"}
    return Bundle(model, config, Vocabulary.of(ids), facts, counts, **told)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle, saved as a folder."""
    save_bundle(made(), tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A bundle, saved as a file."""
    save_bundle(made(), tmp_path / "model.gsrec")
    return tmp_path / "model.gsrec"


@pytest.mark.parametrize("place", ["a/bundle", "a/bundle.gsrec"], ids=["folder", "file"])
@pytest.mark.parametrize("ids", IDS)
@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_saved_is_loaded(tmp_path: Path, name: str, ids: str, place: str) -> None:
    bundle = made(CONFIGS[name], IDS[ids])
    save_bundle(bundle, tmp_path / place)
    loaded = load_bundle(tmp_path / place)
    assert (tmp_path / place).is_file() == place.endswith(".gsrec")
    assert (loaded.config, loaded.data, loaded.fingerprint) == (bundle.config, bundle.data, bundle.fingerprint)
    assert (loaded.settings, loaded.metrics, loaded.licence) == (bundle.settings, bundle.metrics, bundle.licence)
    assert loaded.counts.equal(bundle.counts)
    assert loaded.vocabulary.ids.to_list() == IDS[ids]
    assert loaded.vocabulary.ids.dtype == bundle.vocabulary.ids.dtype
    saved, found = bundle.model.state_dict(), loaded.model.state_dict()
    assert saved.keys() == found.keys()
    assert all(found[key].equal(saved[key]) for key in saved)
    assert not loaded.model.training
    histories = torch.tensor([[1, 2, 3], [2, 0, 0]])
    assert loaded.model.score(histories).equal(bundle.model.eval().score(histories))


def test_a_bundle_is_four_files_that_run_no_code(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, POPULARITY, VOCABULARY, WEIGHTS]
    assert json.loads((folder / VOCABULARY).read_text(encoding="utf-8")) == [30, -1, 7]
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    assert set(manifest) == set(Manifest.model_fields)
    for name, checksum in manifest["checksums"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum


def test_a_bundle_takes_the_place_of_another(folder: Path) -> None:
    save_bundle(made(CONFIGS["sasrec"], IDS["strings"]), folder)
    assert load_bundle(folder).config == CONFIGS["sasrec"]
    assert load_bundle(folder).vocabulary.ids.to_list() == IDS["strings"]


def test_a_bundle_that_takes_its_place_while_it_is_looked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, tried = storage._read_folder, list[Path]()

    def late(path: Path) -> dict[str, bytes]:
        tried.append(path)
        if len(tried) == 1:
            raise FileNotFoundError(path)  # it was not there yet, and is when it is asked for
        return read(path)

    monkeypatch.setattr(storage, "_read_folder", late)
    assert load_bundle(folder).config == CONFIGS["gru4rec"]
    assert tried == [folder, folder]


def test_a_bundle_set_aside_is_not_read_while_it_is_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, aside, new = storage._read_folder, folder.parent / ".bundle.00000000.old", folder.parent / "new"
    folder.rename(aside)
    assert load_bundle(folder).config == CONFIGS["gru4rec"]
    save_bundle(made(CONFIGS["sasrec"]), new)

    def half(path: Path) -> dict[str, bytes]:
        if path == aside:
            new.rename(folder)
            (aside / WEIGHTS).unlink()
        return read(path)

    monkeypatch.setattr(storage, "_read_folder", half)
    assert load_bundle(folder).config == CONFIGS["sasrec"]


def test_a_folder_with_other_things_in_it_is_left_alone(folder: Path) -> None:
    (folder / "thesis.docx").write_text("years of work", encoding="utf-8")
    with pytest.raises(DataError, match=r"holds thesis\.docx, which is no part of a bundle"):
        save_bundle(made(CONFIGS["sasrec"]), folder)
    assert (folder / "thesis.docx").exists()
    assert load_bundle(folder).config == CONFIGS["gru4rec"]
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]


def test_a_bundle_of_a_split_counts_its_training_events() -> None:
    split = leave_one_out(synthetic_log(num_users=9, num_items=5, mean_length=6).to_sequences())
    model = build_model(CONFIGS["sasrec"], num_items=split.sequences.num_items)
    bundle = Bundle.of(model, CONFIGS["sasrec"], split)
    expected = [int((split.sequences.items[split.train_mask()] == item).sum()) for item in range(len(bundle.counts))]
    assert bundle.counts.tolist() == expected


def test_weights_that_are_not_numbers_are_refused(folder: Path) -> None:
    broken = made(CONFIGS["sasrec"])
    for values in broken.model.state_dict().values():
        values.fill_(math.nan)
    save_bundle(broken, folder)
    with pytest.raises(BundleError, match="are not all numbers"):
        load_bundle(folder)


def test_one_file_of_other_than_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "made.gsrec"
    save_bundle(made(CONFIGS["sasrec"]), path)
    with safe_open(path, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        told = opened.metadata()
    save_file({**tensors, WEIGHTS: torch.ones(3, dtype=torch.bfloat16)}, path, metadata=told)
    with pytest.raises(BundleError, match="is not made of bytes"):
        load_bundle(path)


@pytest.mark.parametrize("shape", ['"abc"', "[-1]", "[1.5]", "null"])
def test_shapes_that_are_none_are_told(folder: Path, shape: str) -> None:
    header = f'{{"a": {{"dtype": "F32", "shape": {shape}, "data_offsets": [0, 4]}}}}'.encode()
    (folder / WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 4)
    found = inspect_bundle(folder)
    assert (found.shapes, found.num_parameters) == ({}, 0)
    assert found.fault is not None


def test_the_facts_of_data() -> None:
    sequences = synthetic_log(num_users=5, num_items=4, mean_length=4).to_sequences()
    facts = DataFacts.of(leave_one_out(sequences))
    assert (facts.name, facts.fingerprint) == ("synthetic", sequences.fingerprint)
    assert (facts.num_users, facts.num_items, facts.num_interactions) == (5, 4, sequences.num_interactions)


@pytest.mark.parametrize("name", [WEIGHTS, POPULARITY, VOCABULARY])
def test_a_file_that_is_not_the_one_saved(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for damaged in (b"", content[:-1], content + b" ", content.replace(content[-3:-2], b"x", 1)):
        (folder / name).write_bytes(damaged)
        with pytest.raises(BundleError, match=f"{name} is missing or does not match its checksum"):
            load_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing or does not match its checksum. Train or copy it again"):
        load_bundle(folder)


def test_any_damage_to_the_one_file_is_refused(file: Path) -> None:
    content = file.read_bytes()
    for place in range(0, len(content), 7):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(BundleError):
            load_bundle(file)
    for cut in (0, 5, 100, len(content) - 1):
        file.write_bytes(content[:cut])
        with pytest.raises(BundleError, match="is no bundle that `gsrec pack` wrote, or a damaged one"):
            load_bundle(file)
    file.write_bytes(content)
    assert load_bundle(file).data.name == "log"


def test_without_a_manifest_there_is_no_bundle(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    with pytest.raises(BundleError, match=r"holds no trained model: manifest\.json cannot be read"):
        load_bundle(folder)
    with pytest.raises(BundleError, match="holds no trained model: there is no such file or folder"):
        load_bundle(folder / "nowhere")
    for place in (folder / WEIGHTS, folder / VOCABULARY):
        with pytest.raises(BundleError, match="is no bundle that `gsrec pack` wrote, or a damaged one"):
            load_bundle(place)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "manifest.json is damaged: Expecting value"),
        (b'{"format": 4, ', "manifest.json is damaged: Expecting property name"),
        (b"[]", "Input should be a valid dictionary"),
        (b"{}", "version: Field required"),
        (b"\xff", "manifest.json is damaged: 'utf-8' codec can't decode"),
        (b"[" * 100_000, "manifest.json is damaged: "),
    ],
    ids=["empty", "cut", "list", "without content", "bytes", "deep"],
)
def test_a_manifest_that_cannot_be_read(folder: Path, content: bytes, message: str) -> None:
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError) as told:
        load_bundle(folder)
    assert message in str(told.value)
    assert ": : " not in str(told.value)


def _of_next_format(manifest: dict[str, Any]) -> None:
    manifest["format"] = 5


def _of_an_old_format(manifest: dict[str, Any]) -> None:
    manifest["format"] = 3


def _of_no_format(manifest: dict[str, Any]) -> None:
    manifest["format"] = "two"


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
    _of_next_format: "is of format 5, and this version knows format 4. Install a newer gsrec.",
    _of_an_old_format: "is of format 3, and this version knows format 4. Train it again, or load it with an older",
    _of_no_format: "manifest.json is damaged: format: Input should be 4",
    _with_more: "model.gru4rec.heads: Extra inputs are not permitted",
    _of_an_unknown_model: "Input tag 'transformer' found using 'name' does not match any of the expected tags",
    _without_checksum: "weights.safetensors is missing or does not match its checksum",
    _wider: "does not fit together: Error(s) in loading state_dict for GRU4Rec: \tsize mismatch for bias",
    _of_another_model: "does not fit together: Error(s) in loading state_dict for SASRec: \tMissing key(s)",
    _impossible: "does not fit together: embedding_size must be a multiple of num_heads, found 4 and 3",
}


@pytest.mark.parametrize("change", MANIFESTS, ids=lambda change: change.__name__)
def test_a_manifest_that_was_changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError):
        load_bundle(folder)
    _sign(folder, files=False)
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


def test_settings_of_its_data_that_are_none(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["settings"]["data"] = {"max_user_interactions": 0}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    _sign(folder, files=False)
    with pytest.raises(BundleError, match=r"settings of its data cannot be read: max_user_interactions"):
        load_bundle(folder)


def test_weights_of_another_kind_of_numbers(folder: Path) -> None:
    weights = {name: one.double() for name, one in load((folder / WEIGHTS).read_bytes()).items()}
    (folder / WEIGHTS).write_bytes(save(weights))
    _sign(folder)
    with pytest.raises(
        BundleError, match=r"does not fit together: the weights .* are torch\.float64, not torch\.float32"
    ):
        load_bundle(folder)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_all_of_a_model_that_is_read_is_there(name: str, tmp_path: Path) -> None:
    model = made(CONFIGS[name]).model
    save_bundle(made(CONFIGS[name]), tmp_path / "bundle")
    read = load_bundle(tmp_path / "bundle").model
    assert all(part.device.type == "cpu" for part in (*read.parameters(), *read.buffers()))
    assert [one.requires_grad for one in read.parameters()] == [one.requires_grad for one in model.parameters()]


def test_weights_that_are_none(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"no weights")
    _sign(folder)
    with pytest.raises(BundleError, match="does not fit together"):
        load_bundle(folder)


def test_a_manifest_of_which_a_word_was_changed(folder: Path) -> None:
    text = (folder / MANIFEST).read_text(encoding="utf-8")
    (folder / MANIFEST).write_text(text.replace("do what you like", "pay"), encoding="utf-8")
    with pytest.raises(BundleError, match=r"manifest\.json does not match its checksum"):
        load_bundle(folder)


def test_a_bundle_from_before_a_setting_existed_is_read_at_its_default(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    del manifest["model"]["temperature"]
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    _sign(folder, files=False)
    assert load_bundle(folder).config.model_dump()["temperature"] == 0
    assert inspect_bundle(folder).fault is None


@pytest.mark.parametrize("counts", [torch.zeros(3, dtype=torch.int64), torch.zeros(4)])
def test_counts_that_do_not_fit(folder: Path, counts: torch.Tensor) -> None:
    (folder / POPULARITY).write_bytes(save({"counts": counts}))
    _sign(folder)
    with pytest.raises(BundleError, match=r"does not fit together: popularity\.safetensors has counts torch"):
        load_bundle(folder)


def _sign(folder: Path, *, files: bool = True) -> None:
    """Make the checksums those of the files as they are, and the digest that of the manifest."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for name in manifest["checksums"] if files else ():
        manifest["checksums"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    manifest["digest"] = digest_of(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize("number", [1, 2, 3, 4], ids=["weights", "popularity", "vocabulary", "manifest"])
def test_a_full_disk_leaves_what_was_there(
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
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert load_bundle(folder).config == CONFIGS["gru4rec"]


def test_a_full_disk_leaves_the_one_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_up(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fill_up)
    with pytest.raises(DataError, match="What was there before is unchanged"):
        save_bundle(made(CONFIGS["sasrec"]), file)
    assert load_bundle(file).config == CONFIGS["gru4rec"]


@pytest.mark.parametrize("name", ["bundle", "bundle.gsrec"])
def test_a_place_that_cannot_be_written(folder: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"cannot write .* Give a folder that can be written to"):
        save_bundle(made(), folder / WEIGHTS / name)


def test_folder_and_file_hold_the_same(folder: Path, file: Path) -> None:
    told, same = inspect_bundle(folder), inspect_bundle(file)
    assert told.record() == same.record()
    assert told.fault is None
    assert told.num_parameters == sum(part.numel() for part in made().model.state_dict().values())
    assert told.record()["metrics"] == {"NDCG@10": 0.5}
    assert told.sizes == {name: (folder / name).stat().st_size for name in (WEIGHTS, POPULARITY, VOCABULARY)}


def test_a_look_into_a_damaged_bundle_says_what_is_wrong(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"no weights")
    told = inspect_bundle(folder)
    assert "weights.safetensors is missing or does not match its checksum" in str(told.fault)
    assert (told.shapes, told.record()["intact"]) == ({}, False)
    (folder / WEIGHTS).unlink()
    assert WEIGHTS not in inspect_bundle(folder).sizes


@pytest.mark.parametrize("name", [WEIGHTS, POPULARITY, VOCABULARY])
def test_a_bundle_that_is_replaced_while_it_is_read_is_read_again(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, read = made(CONFIGS["sasrec"], IDS["strings"]), Path.read_bytes
    swaps = iter([True])

    def swapped(path: Path) -> bytes:
        if path.name == name and next(swaps, False):
            save_bundle(other, folder)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", swapped)
    assert load_bundle(folder).fingerprint == other.fingerprint
