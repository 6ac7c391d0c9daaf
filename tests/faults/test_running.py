"""What goes wrong while something runs: no more memory, a clock that goes back, files that are not what they seem."""

from __future__ import annotations

import gzip
import io
import resource
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import torch
import zstandard

from gsrec.bundle import load_bundle, save_bundle
from gsrec.data import compression
from gsrec.data.archives import extract
from gsrec.data.download import download
from gsrec.data.readers import read_log
from gsrec.data.sources import open_log
from gsrec.data.synthetic import synthetic_log
from gsrec.errors import BundleError, ConfigError, DataError, TrainingError
from gsrec.experiment.configure import run_config
from gsrec.experiment.folder import open_bundle
from gsrec.experiment.run import train
from gsrec.serving.sqlite_store import SQLiteStore
from gsrec.serving.store import SessionKey
from gsrec.training.course import Epoch, Keeping, Listener
from gsrec.training.training import Training


@contextmanager
def no_more_memory(left: int) -> Iterator[None]:
    """The system gives this process so many bytes more, and then none."""
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def small_log(tmp_path: Path) -> str:
    path = tmp_path / "log.csv"
    synthetic_log(num_users=30, num_items=20, mean_length=8).frame.rename({"time": "position"}).write_csv(path)
    return str(path)


def test_memory_that_runs_out_in_a_step_is_told_with_what_helps(
    tmp_path: Path, small_log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Training.step

    def starved(self: Training, rows: object) -> tuple[float, int]:
        with no_more_memory(2**20):
            torch.ones(2**26)
        return step(self, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "step", starved)
    config = run_config("gsrec", settings=["embedding_size=8", "num_heads=1", "recurrent_size=8"])
    with pytest.raises(TrainingError, match=r"memory ran out in a step with .* `gsrec plan` with the same settings"):
        train(small_log, config, tmp_path / "run")


def test_a_bundle_that_tells_of_other_sizes_than_it_has_takes_no_memory(tmp_path: Path, small_log: str) -> None:
    settings = ["embedding_size=8", "recurrent_size=8", "num_heads=1", "epochs=1"]
    train(small_log, run_config("gsrec", settings=settings), tmp_path / "run")
    bundle = open_bundle(tmp_path / "run")
    save_bundle(
        replace(bundle, config=bundle.config.model_copy(update={"embedding_size": 65_536})), tmp_path / "larger"
    )
    with no_more_memory(2**30), pytest.raises(BundleError, match=r"does not fit together: .*size mismatch"):
        load_bundle(tmp_path / "larger")


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path: Path, small_log: str) -> None:
    settings = ["embedding_size=8", "num_heads=1", "recurrent_size=8", "learning_rate=1e30", "patience=0"]
    with pytest.raises(TrainingError, match=r"the loss became (nan|inf) at step .* Lower learning_rate"):
        train(small_log, run_config("gsrec", settings=settings), tmp_path / "run")
    assert Keeping(tmp_path / "run" / "checkpoints").folder.exists()


def test_two_trainings_never_write_into_one_folder(tmp_path: Path, small_log: str) -> None:
    config = run_config("gsrec", settings=["embedding_size=8", "num_heads=1", "recurrent_size=8", "epochs=2"])
    refused: list[str] = []

    def try_too(epoch: Epoch) -> None:
        for resume in (False, True):
            with pytest.raises(ConfigError) as error:
                train(small_log, config, tmp_path / "run", resume=resume)
            refused.append(str(error.value))

    train(small_log, config, tmp_path / "run", listener=Listener(on_epoch=try_too))
    assert "holds a training that was not finished" in refused[0]
    assert "another process is writing into" in refused[1]
    assert not (tmp_path / "run" / ".lock").exists()


def test_a_clock_that_goes_back_loses_no_session(tmp_path: Path) -> None:
    store, key = SQLiteStore(str(tmp_path / "s.sqlite"), idle_seconds=100.0), SessionKey("ann", "first")
    store.append([(key, [1])], 1_000.0)
    store.append([(key, [2])], 10.0)  # the clock was set back
    for now in (10.0, 1_000.0, 1_050.0):
        kept = store.read(key, now)
        assert kept is not None
        assert kept.item_ids == (1, 2)
    assert store.expire(20.0) == 0
    assert store.expire(2_000.0) == 1
    store.close()


def test_a_parquet_file_that_was_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": [1, 2]}).write_parquet(path)
    whole = path.read_bytes()
    for kept in (0, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(DataError):
            open_log(str(path))


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "ALWAYS_ALLOWED", 2**16)
    bomb, nothing = tmp_path / "bomb.zip", b"\0" * 2**22
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ratings.dat", nothing)
    with pytest.raises(DataError, match="unpacks to more than"):
        extract(bomb, ("ratings.dat",), tmp_path)
    assert (tmp_path / "ratings.dat").stat().st_size < 2**21
    gz, zst = tmp_path / "log.csv.gz", tmp_path / "log.csv.zst"
    rows = b"user_id,item_id\n" + b"1,1\n" * 2**20
    gz.write_bytes(gzip.compress(rows))
    zst.write_bytes(zstandard.compress(rows))
    for path in (gz, zst):
        with pytest.raises(DataError, match="unpacks to more than"):
            open_log(str(path))


def test_a_zip_bomb_is_not_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "ALWAYS_ALLOWED", 2**16)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ratings.dat", b"\0" * 2**22)
    content = (tmp_path / "bomb.zip").read_bytes()
    chunks = iter([(content, len(content)), (b"", len(content))])
    monkeypatch.setattr("gsrec.data.download._chunks", lambda url: chunks)
    with pytest.raises(DataError, match="unpacks to more than"):
        download("https://example.org/a.zip", tmp_path / "kept" / "a.zip")
    assert not (tmp_path / "kept" / "a.zip").exists()


def test_a_member_that_wants_out_of_the_folder_stays_in_it(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("../../outside/ratings.dat", "1::1::5::1\n")
    (tmp_path / "in").mkdir()
    assert extract(archive, ("ratings.dat",), tmp_path / "in") == [tmp_path / "in" / "ratings.dat"]
    assert not (tmp_path.parent / "outside").exists()


@pytest.mark.parametrize("name", ["log.parquet", "log.parquet.gz"])
def test_a_parquet_file_of_far_more_rows_than_bytes_is_not_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "ALWAYS_ALLOWED", 2**16)
    content = io.BytesIO()
    pl.DataFrame({"user_id": [1] * 10**6, "item_id": [1] * 10**6}).write_parquet(content)
    (tmp_path / name).write_bytes(gzip.compress(content.getvalue()) if name.endswith("gz") else content.getvalue())
    with pytest.raises(DataError, match=r"it unpacks to more than [\d,]+ bytes"):
        read_log(tmp_path / name)
