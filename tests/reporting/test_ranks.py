from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from gsrec.errors import DataError
from gsrec.reporting.ranks import FIELDS, UserRanks, read_ranks, write_ranks


def _ranks(*ranks: int) -> UserRanks:
    users = np.arange(len(ranks))
    return UserRanks(users, np.array(ranks), users + 1, users)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "a" / "ranks.safetensors"
    write_ranks(path, _ranks(3, 1, 7))
    found = read_ranks(path)
    assert found.ranks.tolist() == [3, 1, 7]
    assert found.history_lengths.tolist() == [1, 2, 3]
    assert {getattr(found, name).dtype for name in FIELDS} == {np.dtype(np.int64)}
    assert [file.name for file in path.parent.iterdir()] == ["ranks.safetensors"]


def test_arrays_of_smaller_integers_are_widened(tmp_path: Path) -> None:
    save_file({name: np.array([1, 2], dtype=np.int32) for name in FIELDS}, tmp_path / "ranks.safetensors")
    assert read_ranks(tmp_path / "ranks.safetensors").ranks.dtype == np.int64


def test_its_sizes_are_printed() -> None:
    assert repr(UserRanks(*(np.array([1, 1, 2]) for _ in FIELDS))) == "UserRanks(3 targets of 2 users)"


def test_arrays_must_be_of_one_length() -> None:
    with pytest.raises(DataError, match=r"all of one length, found .*'ranks': \(2,\)"):
        UserRanks(np.arange(3), np.array([1, 2]), np.arange(3), np.arange(3))


def test_ranks_count_from_one() -> None:
    with pytest.raises(DataError, match="ranks count from 1, found 0"):
        _ranks(1, 0)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone cannot be read as a run's ranks: .*Run the model again"):
        read_ranks(tmp_path / "gone")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "ranks.safetensors").write_bytes(b"not what it was")
    with pytest.raises(DataError, match=r"ranks.safetensors cannot be read as a run's ranks"):
        read_ranks(tmp_path / "ranks.safetensors")


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    save_file({"users": np.arange(2), "ranks": np.array([1, 2])}, tmp_path / "ranks.safetensors")
    with pytest.raises(DataError, match="lacks history_lengths, target_popularity: found \\['ranks', 'users'\\]"):
        read_ranks(tmp_path / "ranks.safetensors")
