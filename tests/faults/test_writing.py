"""A disk that is full or read-only, a process killed before the rename: what was good before stays good."""

from __future__ import annotations

import ctypes
import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from gsrec.bundle import Bundle, load_bundle, save_bundle
from gsrec.data.splits import leave_one_out
from gsrec.data.synthetic import synthetic_log
from gsrec.errors import GSRecError
from gsrec.files import write_json
from gsrec.models import GRU4RecConfig, GSRecConfig, ModelConfig, build_model
from gsrec.recommend.everyone import write_recommendations
from gsrec.recommend.export import export_bundle
from gsrec.recommend.index import ItemIndex
from gsrec.recommend.index_files import save_index
from gsrec.recommend.recommender import Recommender
from gsrec.reporting.ranks import UserRanks, write_ranks
from gsrec.serving.keys import new_key
from gsrec.serving.sqlite_store import SQLiteStore
from gsrec.serving.store import Appended, SessionKey
from gsrec.training.checkpoint import Snapshot, load_state, save_state, save_weights

Write = Callable[[Path, int], None]
"""Writes into a folder; what, depends on a version, 1 or 2."""

CONFIG = GSRecConfig(embedding_size=32, num_heads=1, recurrent_size=32, window=4)
SPLIT = leave_one_out(synthetic_log(num_users=30, num_items=300, mean_length=8).to_sequences())
TOO_MUCH = 9_000
"""Bytes of a file that a full disk has no place for."""


def bundle(version: int, config: ModelConfig = CONFIG) -> Bundle:
    return Bundle.of(build_model(config, num_items=SPLIT.sequences.num_items, seed=version).eval(), config, SPLIT)


def snapshot(version: int) -> Snapshot:
    return Snapshot({"a": torch.full((5_000,), float(version))}, {"version": version})


def ranks(version: int) -> UserRanks:
    return UserRanks(*(np.full(4_000, version) for _ in range(4)))


def frame(version: int) -> pl.DataFrame:
    places = np.arange(20_000, dtype=np.int64) * 7_919 % 100_003 + version
    return pl.DataFrame({"user_id": places, "item_id": places[::-1].copy()})


def index(version: int) -> ItemIndex:
    return ItemIndex(torch.ones(9, 2) * version, recall=0.5 + version / 10)


def write_key(folder: Path, version: int) -> None:
    new_key(folder / "keys", f"key-{version}")


def write_onnx(folder: Path, version: int) -> None:
    export_bundle(bundle(version, GRU4RecConfig(embedding_size=8)), folder / "onnx")  # exported soonest of what streams


WRITERS: dict[str, Write] = {
    "json": lambda folder, version: write_json(folder / "a.json", {"a": [version] * 9_000}),
    "bundle-folder": lambda folder, version: save_bundle(bundle(version), folder / "bundle"),
    "bundle-file": lambda folder, version: save_bundle(bundle(version), folder / "bundle.gsrec"),
    "weights": lambda folder, version: save_weights(bundle(version).model.state_dict(), folder / "best"),
    "checkpoint": lambda folder, version: save_state(snapshot(version), folder / "states", identity={}),
    "ranks": lambda folder, version: write_ranks(folder / "ranks", ranks(version)),
    "table-csv": lambda folder, version: write_recommendations(frame(version), folder / "next.csv"),
    "table-parquet": lambda folder, version: write_recommendations(frame(version), folder / "next.parquet"),
    "index": lambda folder, version: save_index(index(version), folder / "i", "model"),
    "keys": write_key,
    "onnx": write_onnx,
}
SMALL = {"index", "keys"}
"""What fits on any disk that has a little room: for these, it has none."""


def content(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """The system refuses every byte of a file after so many."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path, 1)
    before = content(tmp_path)
    with full_disk(0 if kind in SMALL else TOO_MUCH), pytest.raises(GSRecError, match="cannot write"):
        WRITERS[kind](tmp_path, 2)
    assert content(tmp_path) == before
    WRITERS[kind](tmp_path, 2)
    assert content(tmp_path) != before


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody may write a file or into a folder; root is made to keep to that, who otherwise need not."""
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        with without_capability(CAP_DAC_OVERRIDE) if os.geteuid() == 0 else nullcontext():
            yield
    finally:
        for path in paths:
            path.chmod(path.stat().st_mode | 0o200)


CAP_DAC_OVERRIDE = 1


@contextmanager
def without_capability(number: int) -> Iterator[None]:
    """This thread is not allowed something that root is; see capset(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this thread
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable of the first 32, then of the others
    assert libc.capget(header, sets) == 0, os.strerror(ctypes.get_errno())
    before = sets[0]
    sets[0] = before & ~(1 << number)
    assert libc.capset(header, sets) == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        sets[0] = before
        assert libc.capset(header, sets) == 0, os.strerror(ctypes.get_errno())


@pytest.mark.parametrize("kind", WRITERS)
def test_a_folder_that_was_made_read_only(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path, 1)
    before = content(tmp_path)
    with read_only(tmp_path), pytest.raises(GSRecError, match=r"cannot write .*Permission denied"):
        WRITERS[kind](tmp_path, 2)
    assert content(tmp_path) == before
    WRITERS[kind](tmp_path, 2)
    assert content(tmp_path) != before


@pytest.mark.parametrize("kind", ["json", "bundle-folder", "bundle-file", "checkpoint", "table-parquet"])
def test_killed_between_writing_and_the_name(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path, 1)
    before = content(tmp_path)
    killed = subprocess.run([sys.executable, __file__, kind, str(tmp_path)], timeout=100)
    assert killed.returncode == -signal.SIGKILL
    after = content(tmp_path)
    assert {name: after[name] for name in before} == before
    assert all(any(part.startswith(".") for part in Path(name).parts) for name in after.keys() - before.keys())
    WRITERS[kind](tmp_path, 2)
    assert content(tmp_path) != after


def test_a_bundle_is_the_old_or_the_new_one_and_never_half(tmp_path: Path) -> None:
    for path in (tmp_path / "folder", tmp_path / "file.gsrec"):
        save_bundle(bundle(1), path)
        with full_disk(TOO_MUCH), pytest.raises(GSRecError):
            save_bundle(bundle(2), path)
        assert load_bundle(path).fingerprint == bundle(1).fingerprint


def test_a_checkpoint_that_was_not_finished_is_none(tmp_path: Path) -> None:
    save_state(snapshot(1), tmp_path, identity={})
    with full_disk(TOO_MUCH), pytest.raises(GSRecError):
        save_state(snapshot(2), tmp_path, identity={})
    state, notes = load_state(tmp_path, identity={})
    assert (state is not None and state.facts["version"], notes) == (1, ())


def totals(appended: list[Appended]) -> list[int]:
    return [one.num_events for one in appended]


def append_for_long(store: SQLiteStore, key: SessionKey) -> None:
    for _ in range(200):
        store.append([(key, ["x" * 200] * 50)], 0.0)


def test_sessions_on_a_full_disk_refuse_new_events_and_keep_the_old(tmp_path: Path) -> None:
    path, key = tmp_path / "sessions.sqlite", SessionKey("ann", "first")
    store = SQLiteStore(str(path), idle_seconds=1e9)
    assert totals(store.append([(key, [1, 2, 3])], 0.0)) == [3]
    size = sum(place.stat().st_size for place in tmp_path.iterdir())
    with full_disk(size), pytest.raises(GSRecError, match="does not take this now"):
        append_for_long(store, key)
    kept = store.read(key, 0.0)
    assert kept is not None
    assert kept.item_ids[:3] == (1, 2, 3)
    assert len(kept.item_ids) % 50 == 3  # whole batches only
    assert totals(store.append([(key, [4])], 0.0)) == [len(kept.item_ids) + 1]
    store.close()


def test_sessions_in_a_file_that_was_made_read_only(tmp_path: Path) -> None:
    path, key = tmp_path / "sessions.sqlite", SessionKey("ann", "first")
    store = SQLiteStore(str(path), idle_seconds=1e9)
    store.append([(key, [1, 2, 3])], 0.0)
    store.close()
    with read_only(tmp_path), pytest.raises(GSRecError, match=r"cannot keep sessions in .* Give another file"):
        SQLiteStore(str(path), idle_seconds=1e9)
    store = SQLiteStore(str(path), idle_seconds=1e9)
    kept = store.read(key, 0.0)
    assert kept is not None
    assert kept.item_ids == (1, 2, 3)
    store.close()


@pytest.mark.parametrize("renames", range(8))
def test_a_bundle_killed_at_any_rename_is_the_old_or_the_new_one(renames: int, tmp_path: Path) -> None:
    WRITERS["bundle-folder"](tmp_path, 1)
    process = subprocess.run([sys.executable, __file__, "bundle-folder", str(tmp_path), str(renames)], timeout=100)
    is_done = process.returncode == 0
    assert is_done == (renames > 5)  # four files in a new folder, the old one makes place, the new one takes it
    assert load_bundle(tmp_path / "bundle").fingerprint == bundle(2 if is_done else 1).fingerprint
    WRITERS["bundle-folder"](tmp_path, 2)
    assert load_bundle(tmp_path / "bundle").fingerprint == bundle(2).fingerprint


def test_the_old_bundle_takes_its_place_again_where_the_new_one_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_bundle(bundle(1), tmp_path / "bundle")
    replace = os.replace

    def refuse(source: Path, target: Path) -> None:
        if str(source).endswith(".new") and Path(target).name == "bundle":
            raise OSError(5, "Input/output error")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", refuse)
        with pytest.raises(GSRecError, match="What was there before is unchanged"):
            save_bundle(bundle(2), tmp_path / "bundle")
    assert load_bundle(tmp_path / "bundle").fingerprint == bundle(1).fingerprint
    assert [place.name for place in tmp_path.iterdir()] == ["bundle"]


def test_the_reason_is_told_where_nothing_was_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def refuse(source: Path, target: Path) -> None:
        if Path(target).name == "bundle":
            raise OSError(5, "Input/output error")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", refuse)
        with pytest.raises(GSRecError, match=r"cannot write .*bundle: Input/output error"):
            save_bundle(bundle(1), tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def between_the_renames(monkeypatch: pytest.MonkeyPatch, do: Callable[[], None]) -> None:
    """Do something each time that a bundle has made place, before the new one is there."""
    replace = os.replace

    def replacing(source: Path, target: Path) -> None:
        replace(source, target)
        if str(target).endswith(".old"):
            do()

    monkeypatch.setattr("os.replace", replacing)


def test_a_reader_takes_nothing_from_a_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, read = tmp_path / "bundle", list[str]()
    save_bundle(bundle(1), path)
    with monkeypatch.context() as patch:
        between_the_renames(patch, lambda: read.append(load_bundle(path).fingerprint))
        save_bundle(bundle(2), path)
    assert read == [bundle(1).fingerprint]
    assert load_bundle(path).fingerprint == bundle(2).fingerprint
    assert [place.name for place in tmp_path.iterdir()] == ["bundle"]


def test_of_two_writers_the_last_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, written = tmp_path / "bundle", list[int]()
    save_bundle(bundle(1), path)

    def write_another() -> None:
        if not written:
            written.append(3)
            save_bundle(bundle(3), path)

    with monkeypatch.context() as patch:
        between_the_renames(patch, write_another)
        save_bundle(bundle(2), path)
    assert load_bundle(path).fingerprint == bundle(2).fingerprint
    assert [place.name for place in tmp_path.iterdir()] == ["bundle"]


def test_a_bundle_of_a_longer_name_is_left_where_it_is(tmp_path: Path) -> None:
    save_bundle(bundle(1), tmp_path / "model.v2")
    (tmp_path / "model.v2").rename(tmp_path / ".model.v2.abcd1234.old")
    with pytest.raises(GSRecError, match="holds no trained model"):
        load_bundle(tmp_path / "model")
    assert load_bundle(tmp_path / "model.v2").fingerprint == bundle(1).fingerprint


def test_a_runs_bundle_that_just_makes_place_is_found(tmp_path: Path) -> None:
    save_bundle(bundle(1), tmp_path / "run" / "bundle")
    (tmp_path / "run" / "run.json").touch()
    (tmp_path / "run" / "bundle").rename(tmp_path / "run" / ".bundle.abcd1234.old")
    assert Recommender.load(tmp_path / "run").bundle.fingerprint == bundle(1).fingerprint


def test_what_a_link_stands_for_is_replaced(tmp_path: Path) -> None:
    save_bundle(bundle(1), tmp_path / "v1")
    (tmp_path / "current").symlink_to(tmp_path / "v1")
    save_bundle(bundle(2), tmp_path / "current")
    assert (tmp_path / "current").is_symlink()
    assert load_bundle(tmp_path / "v1").fingerprint == bundle(2).fingerprint


def write_and_be_killed(kind: str, folder: Path, renames: int = 0) -> None:
    """Write the second version, and be killed instead of giving a name after so many."""
    replace, left = os.replace, iter(range(renames))

    def kill(source: Path, target: Path) -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = kill  # type: ignore[assignment]
    WRITERS[kind](folder, 2)


if __name__ == "__main__":
    write_and_be_killed(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
