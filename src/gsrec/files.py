"""Files that are whole or not there."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from filelock import FileLock, Timeout

from gsrec.errors import ConfigError, DataError

LOCK = ".lock"
"""The file that says which process writes into a folder."""

NEW, OLD = ".new", ".old"
"""What the hidden names of what is being written, and of what makes place for it, end with."""

PATIENCE_SECONDS = 30.0
"""How long is waited for another process that changes a file."""

DIGITS = "[0-9a-f]{8}"
LEFTOVER = re.compile(rf"\..+\.{DIGITS}({re.escape(NEW)}|{re.escape(OLD)})")
"""Any such name."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a new file beside `path`, and put it in its place only when all of it is on disk.

    The new file has the old one's permissions; what a link stands for is replaced, not the link.

    Raises:
        DataError: if the disk does not take it; `path` is then as it was before.
    """
    place = path.resolve() if path.is_symlink() else path
    new = beside(place, NEW)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        permissions = place.stat().st_mode & 0o777 if place.exists() else None
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, permissions or 0o666))
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}. Give a folder that can be written to.") from error
    try:
        yield new
        with new.open("rb") as written:
            os.fsync(written.fileno())
        if permissions is not None:
            new.chmod(permissions)
        new.replace(place)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"cannot write {path}: {reason}. What was there before is unchanged.") from error
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process changes a file this way, and keep it for this one; what says so stays beside it.

    Raises:
        ConfigError: if another process has it for longer than changing a file takes.
        DataError: if its folder cannot be written to.
    """
    lock = FileLock(path.parent / f".{path.name}{LOCK}", timeout=PATIENCE_SECONDS)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        told = "Try again, or give a file in a folder that can be written to."
        raise ConfigError(f"cannot change {path}: {lock.lock_file} cannot be had for this process. {told}") from error
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}. Give a folder that can be written to.") from error
    try:
        yield
    finally:
        lock.release()


def beside(path: Path, ending: str) -> Path:
    """A hidden name beside a path that nothing has, for what is being written or makes place."""
    return path.parent / f".{path.name}.{token_hex(4)}{ending}"


def made_beside(path: Path, ending: str) -> list[Path]:
    """What is there under names that `beside` gave for this path."""
    name = re.compile(rf"\.{re.escape(path.name)}\.{DIGITS}{re.escape(ending)}")
    return [place for place in path.parent.glob(f".*{ending}") if name.fullmatch(place.name)]


def is_leftover(path: Path) -> bool:
    """Whether this is what a process left that was killed while it wrote.

    >>> [is_leftover(Path(name)) for name in ("run/.history.jsonl.0f3a91c7.new", "run/history.jsonl", "run/.mine.old")]
    [True, False, False]
    """
    return LEFTOVER.fullmatch(path.name) is not None


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left in a folder and below; call it with the folder held."""
    for path in [path for path in folder.rglob(".*") if is_leftover(path)]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a folder, which is made if need be, for this process alone; the end of the process gives it free as well.

    Raises:
        ConfigError: if another process has it.
        DataError: if it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, blocking=False)
        lock.acquire()
    except Timeout as error:
        told = f"another process is writing into {folder}. Wait until it is done, or give another folder with --out."
        raise ConfigError(told) from error
    except OSError as error:
        raise DataError(f"cannot write {folder}: {error.strerror}. Give a folder that can be written to.") from error
    try:
        yield
    finally:
        with suppress(OSError):  # some systems remove no file that is open: it then stays, and means nothing
            (folder / LOCK).unlink()
        lock.release()
        with suppress(OSError):  # something is in it
            folder.rmdir()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def checksum(content: bytes) -> str:
    """SHA-256, as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
