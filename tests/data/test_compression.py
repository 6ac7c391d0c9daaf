import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from gsrec.data.compression import open_bytes, without_compression


@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, zstandard.compress, lambda text: zstandard.compress(text) * 2],
    ids=["plain", "gzip", "zstd", "two frames of zstd"],
)
def test_the_bytes_decide_not_the_name(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(pack(b"one\ntwo\n"))
    with open_bytes(path) as file:
        assert [*file][:2] == [b"one\n", b"two\n"]


def test_a_file_of_no_bytes(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with open_bytes(path) as file:
        assert file.read() == b""


def test_only_extensions_of_compression_are_taken_off() -> None:
    names = [without_compression(Path(name)).name for name in ("a.csv", "a.csv.gz", "a.CSV.GZ", "a.csv.zst", "a.b.csv")]
    assert names == ["a.csv", "a.csv", "a.CSV", "a.csv", "a.b.csv"]
