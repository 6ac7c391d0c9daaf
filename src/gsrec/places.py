"""Whether a place may be written to, asked before anything is done for it: nothing of somebody else's is lost."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from gsrec.errors import ConfigError, DataError


def check_file(path: Path) -> None:
    """Make sure that a file can be written, before anything is done for it.

    Raises:
        DataError: if a folder is there, or what it is to lie in cannot be written to.
    """
    if path.is_dir():
        raise DataError(f"cannot write {path}: it is a folder. Give the name of a file.")
    check_parent(path)


def check_page(path: Path, suffix: str) -> None:
    """Make sure that a page can be written, before anything is done for it, and does not take something else's place.

    Raises:
        ConfigError: if its name ends otherwise.
        DataError: as `check_file`.
    """
    if path.suffix.lower() != suffix:
        raise ConfigError(f"{path}: the page is {suffix}, and what has another name could be lost. Give one {suffix}.")
    check_file(path)


def check_parent(path: Path) -> None:
    """Make sure that something can be put at a path, before anything is done for it.

    Raises:
        DataError: if what it is to lie in cannot be written to.
    """
    nearest = next(place for place in path.absolute().parents if place.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        raise DataError(f"cannot write {path}: {nearest} is not writable. Give a folder that can be written to.")


def check_folder(out: Path) -> None:
    """Make sure that a path is a folder that can be written to, or can become one.

    Raises:
        ConfigError: if it is not so.
    """
    nearest = next(place for place in (out.absolute(), *out.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise ConfigError(f"{out} cannot be a folder, because {nearest} is a file. Give another folder with --out.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"{out} cannot be written: {nearest} does not allow it. Give another folder with --out.")


def shown(folder: Path) -> list[Path]:
    """What is in a folder, without what is hidden: locks, what killed processes left, and what file managers keep."""
    return [place for place in folder.glob("*") if not place.name.startswith(".")]


def check_own(out: Path, ours: Collection[str], *, proof: str | None = None) -> None:
    """Make sure that a folder to be written into holds nothing of somebody else's, which could be written over.

    Args:
        out: the folder; it need not be there.
        ours: the names of what it may hold.
        proof: a file that only such a folder has: beside it anything may be.

    Raises:
        ConfigError: if something else is there, or it cannot be written to.
    """
    check_folder(out)
    found = {place.name for place in shown(out)}
    if proof not in found and (strange := sorted(found - set(ours))):
        told = f"{out} holds {strange[0]}, which does not belong there and could be written over"
        raise ConfigError(f"{told}. Give another folder with --out.")
