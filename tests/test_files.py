"""Files are whole or not there, whatever goes wrong while they are written."""

import errno
import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gsrec.errors import DataError
from gsrec.files import replacing, write_json, write_text


def content_of(folder: Path) -> dict[str, str]:
    """Every file of a folder, hidden ones too."""
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file that holds something already."""
    path = tmp_path / "weights"
    path.write_text("old", encoding="utf-8")
    return path


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow beyond 4 bytes: for a moment only, since it holds for what the tests print as well."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_new_file_comes_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "one" / "two" / "text"
    write_text(path, "new")
    assert content_of(path.parent) == {"text": "new"}


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600)])
def test_permissions_are_those_of_any_new_file(tmp_path: Path, mask: int, expected: int) -> None:
    before = os.umask(mask)
    try:
        write_text(tmp_path / "text", "new")
    finally:
        os.umask(before)
    assert (tmp_path / "text").stat().st_mode & 0o777 == expected


def test_permissions_stay_as_they_were(target: Path) -> None:
    for permissions in (0o600, 0o666):
        target.chmod(permissions)
        write_text(target, "new")
        assert target.stat().st_mode & 0o777 == permissions


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (".", "..", str(tmp_path)):
        with pytest.raises(DataError, match="cannot write"):
            write_text(Path(name), "new")
    assert list(tmp_path.iterdir()) == []


def test_what_a_link_stands_for_is_replaced(target: Path) -> None:
    link = target.with_name("link")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "new"


def test_the_old_file_is_there_until_the_new_one_is_whole(target: Path) -> None:
    with replacing(target) as new:
        assert new.parent == target.parent
        new.write_text("half", encoding="utf-8")
        assert target.read_text(encoding="utf-8") == "old"
        new.write_text("whole", encoding="utf-8")
    assert content_of(target.parent) == {"weights": "whole"}


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_failure_while_writing_changes_nothing(target: Path, error: BaseException) -> None:
    def fail() -> None:
        with replacing(target) as new:
            new.write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert content_of(target.parent) == {"weights": "old"}


def test_a_text_that_cannot_be_encoded_changes_nothing(target: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_text(target, "half \ud800")
    assert content_of(target.parent) == {"weights": "old"}


def test_a_file_larger_than_the_disk_takes(target: Path) -> None:
    with pytest.raises(DataError) as caught, full_disk():
        write_text(target, "too much")
    assert str(caught.value) == f"cannot write {target}: File too large. What was there before is unchanged."
    assert content_of(target.parent) == {"weights": "old"}
    with full_disk():
        write_text(target, "fits")
    assert content_of(target.parent) == {"weights": "fits"}


def refuse(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(("home", "name"), [(os, "fsync"), (Path, "replace")], ids=["fsync", "replace"])
def test_a_disk_that_is_full_only_at_the_end(
    target: Path, monkeypatch: pytest.MonkeyPatch, home: object, name: str
) -> None:
    monkeypatch.setattr(home, name, refuse)
    with pytest.raises(DataError, match=r"cannot write .*weights: No space left on device\. What was there before is"):
        write_text(target, "new")
    assert content_of(target.parent) == {"weights": "old"}


def test_an_error_of_the_disk_without_a_number(target: Path) -> None:
    with pytest.raises(DataError, match=r"weights: disk gone\. What was"), replacing(target):
        raise OSError("disk gone")


def make_folder(place: Path) -> None:
    place.mkdir()


def make_file(place: Path) -> None:
    place.write_text("", encoding="utf-8")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(make_file, "File exists. Give a folder that can be written to.", id="the folder is a file"),
        pytest.param(make_folder, "Is a directory. What was there before is unchanged.", id="the file is a folder"),
    ],
)
def test_a_place_that_is_taken(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    place = tmp_path / "place"
    make(place)
    path = place / "text" if place.is_file() else place
    with pytest.raises(DataError) as caught:
        write_text(path, "new")
    assert str(caught.value) == f"cannot write {path}: {reason}"
    assert [found.name for found in tmp_path.iterdir()] == ["place"]


def test_a_folder_that_cannot_be_written_to(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object) -> None:  # the rights of a folder do not hold back an administrator, who may run this
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("os.open", deny)
    with pytest.raises(DataError, match=r"weights: Permission denied\. Give a folder that can be written to\."):
        write_text(target, "new")
    assert content_of(target.parent) == {"weights": "old"}


def test_json_is_readable_by_people(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_json(path, {"name": "Müsli", "sizes": [1, 2.5, None]})
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == {"name": "Müsli", "sizes": [1, 2.5, None]}
    assert '\n  "name": "Müsli",\n' in text
    assert text.endswith("}\n")
