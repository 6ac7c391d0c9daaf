import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gsrec.data.archives import extract
from gsrec.errors import DataError

FILES = {"ml/ratings.dat": b"1::2::5::1\n", "ml/movies.dat": b"2::Heat\n", "ml/": b""}


def zip_of(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tar_of(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_only_the_wanted_files_come_out_without_their_folders(name: str, tmp_path: Path, folder: Path) -> None:
    archive = (zip_of if name == "a.zip" else tar_of)(tmp_path / name, FILES)
    assert extract(archive, ("ratings.*",), folder) == [folder / "ratings.dat"]
    assert [path.read_bytes() for path in folder.iterdir()] == [b"1::2::5::1\n"]


def test_an_archive_may_hold_archives(tmp_path: Path, folder: Path) -> None:
    inner = tar_of(tmp_path / "training_set.tar", {"training_set/mv_2.txt": b"2:\n", "training_set/mv_1.txt": b"1:\n"})
    outer = tar_of(tmp_path / "all.tar.gz", {"download/training_set.tar": inner.read_bytes(), "download/README": b""})
    assert [path.read_bytes() for path in extract(outer, ("mv_*.txt",), folder)] == [b"1:\n", b"2:\n"]


def test_a_name_that_climbs_out_stays_within_the_folder(tmp_path: Path, folder: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", {"../../ratings.dat": b"x"})
    assert extract(archive, ("ratings.dat",), folder) == [folder / "ratings.dat"]


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_of_two_files_with_one_name_neither_is_taken(
    pack: Callable[[Path, dict[str, bytes]], Path], tmp_path: Path, folder: Path
) -> None:
    name = "a.zip" if pack is zip_of else "a.tar"
    archive = pack(tmp_path / name, {"ml/ratings.dat": b"1::2::5::1\n", "old/ratings.dat": b"x"})
    with pytest.raises(DataError, match=rf"{name}: holds two files named ratings\.dat"):
        extract(archive, ("ratings.dat",), folder)


def test_an_archive_with_a_password(tmp_path: Path, folder: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", {"ratings.dat": b"x" * 99})
    content = bytearray(archive.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag that says so, in both headers
        content[content.index(signature) + place] |= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip: cannot be unpacked; it may be cut short, damaged or encrypted"):
        extract(archive, ("ratings.dat",), folder)


def test_an_archive_without_the_file(tmp_path: Path, folder: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", FILES)
    with pytest.raises(DataError, match=r"a\.zip: holds no file named u\.data or u\.csv"):
        extract(archive, ("u.data", "u.csv"), folder)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
@pytest.mark.parametrize("kept", [0.1, 0.6])
def test_an_archive_cut_short(name: str, kept: float, tmp_path: Path, folder: Path) -> None:
    archive = (zip_of if name == "a.zip" else tar_of)(
        tmp_path / name, {"ratings.dat": np.random.default_rng(0).bytes(20_000)}
    )
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(DataError, match=r"a\..*: cannot be unpacked; it may be cut short, damaged or encrypted: "):
        extract(archive, ("ratings.dat",), folder)


def test_a_damaged_archive(tmp_path: Path, folder: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", {"ratings.dat": bytes(range(256))})
    content = bytearray(archive.read_bytes())
    content[50] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(DataError, match="cannot be unpacked"):
        extract(archive, ("ratings.dat",), folder)
