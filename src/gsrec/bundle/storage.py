"""Where the files of a bundle lie: in a folder, or together in one file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from gsrec.bundle.manifest import CONTENTS, MANIFEST
from gsrec.errors import BundleError, DataError
from gsrec.files import NEW, OLD, beside, made_beside, replacing
from gsrec.places import check_parent

SUFFIX = ".gsrec"
"""What the name of a bundle in one file ends with."""

READS = 5
"""How often a folder is read whose bundle gives way to another in between."""


def write_files(path: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a bundle: into one file where the path ends with `.gsrec`, else into a folder.

    Either is there whole or not at all. One file is safetensors as well: a tensor of bytes for every file, and the
    manifest in its header.

    Raises:
        DataError: if the disk does not take it; what was there before is then unchanged.
    """
    if path.suffix == SUFFIX:
        tensors = {name: torch.frombuffer(bytearray(files[name]), dtype=torch.uint8) for name in CONTENTS}
        with replacing(path) as new:
            new.write_bytes(save(tensors, metadata={MANIFEST: files[MANIFEST].decode()}))
        return
    path = path.resolve() if path.is_symlink() else path  # what a link stands for is replaced, not the link
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = beside(path, NEW)
        new.mkdir()
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}. Give a folder that can be written to.") from error
    try:
        for name in (*CONTENTS, MANIFEST):
            with replacing(new / name) as file:
                file.write_bytes(files[name])
        _put(new, path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}. What was there before is unchanged.") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def check_place(path: Path) -> None:
    """Make sure that a bundle can be written to a path, before anything is done for it.

    Raises:
        DataError: if something else is there, it cannot be written to, or is no name to be given to anything.
    """
    if path.name in ("", ".."):
        raise DataError(f"{path} gives a bundle no name. Give one, such as {path / 'model.gsrec'}.")
    if path.suffix == SUFFIX and path.is_dir():
        raise DataError(f"{path} is a folder, and a name that ends with {SUFFIX} is for a file. Give another name.")
    if path.suffix != SUFFIX and path.exists():
        if not path.is_dir():
            raise DataError(f"{path} is a file. Give a folder, or a name that ends with {SUFFIX}.")
        unknown = sorted(place.name for place in path.iterdir() if place.name not in (*CONTENTS, MANIFEST))
        if unknown:
            raise DataError(f"{path} holds {unknown[0]}, which is no part of a bundle. Give another folder.")
    check_parent(path)


def _put(new: Path, path: Path) -> None:
    """Give a folder its name; one that has it already makes place first, and is then removed.

    Where another writer puts its own in that place meanwhile, this one takes it after all: the last one stays.
    """
    old = new.with_suffix(OLD)
    while True:
        if path.exists():
            check_place(path)
            os.replace(path, old)
        try:
            os.replace(new, path)
            break
        except OSError:
            if not path.exists():
                if old.exists():
                    os.replace(old, path)
                raise
            shutil.rmtree(old, ignore_errors=True)
    for place in made_beside(path, OLD):
        shutil.rmtree(place, ignore_errors=True)


def is_there(path: Path) -> bool:
    """Whether a bundle's folder is there, or has just made place for another."""
    return path.is_dir() or bool(made_beside(path, OLD))


def _places(path: Path) -> Iterator[Path]:
    """Where to look for a bundle: while another takes its place, or if the writer was killed, it is beside its path."""
    yield path
    if not path.exists():
        yield from made_beside(path, OLD)
    yield path


def read_files(path: Path) -> dict[str, bytes]:
    """The files of a bundle by name, as far as they are there; nothing but these names is ever opened.

    They are of one bundle, also where another takes its place meanwhile.

    Raises:
        BundleError: if there is no bundle, or its one file is damaged.
    """
    missing: OSError | None = None
    for place in _places(path):
        try:
            files = _read_one(place) if place.is_file() else _read_folder(place)
        except OSError as error:
            missing = missing or error
            continue
        if place == path or not path.exists():  # else what was set aside may be half removed already
            return files
    reason = f"{MANIFEST} cannot be read ({missing})" if path.exists() else "there is no such file or folder"
    raise BundleError(f"{path} holds no trained model: {reason}. `gsrec train LOG --out DIR` makes one.") from missing


def _read_folder(path: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for _ in range(READS):
        names = [name for name in CONTENTS if (path / name).is_file()]
        files = {name: (path / name).read_bytes() for name in (MANIFEST, *names)}
        if (path / MANIFEST).read_bytes() == files[MANIFEST]:
            break
    return files


def _read_one(path: Path) -> dict[str, bytes]:
    try:
        with safe_open(path, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in CONTENTS if name in opened.keys()}  # noqa: SIM118
            manifest = str((opened.metadata() or {})[MANIFEST]).encode()
        if other := [name for name, tensor in tensors.items() if tensor.dtype != torch.uint8]:
            raise ValueError(f"{other[0]} is not made of bytes")
    except (SafetensorError, KeyError, ValueError) as error:
        told = f"{path} is no bundle that `gsrec pack` wrote, or a damaged one"
        raise BundleError(f"{told}: {error}. Train or copy it again.") from error
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()} | {MANIFEST: manifest}


def header_of(content: bytes) -> dict[str, Any]:
    """The header of the bytes of a safetensors file: 8 bytes say how long it is, then it comes as JSON.

    Raises:
        ValueError, TypeError, RecursionError: if there is none.
    """
    size = int.from_bytes(content[:8], "little")
    return dict(json.loads(content[8 : 8 + size]))


def facts_of(content: bytes) -> dict[str, list[int]]:
    """The shape of every tensor in the bytes of a safetensors file, from its header alone.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, RecursionError: if it is no such header.
    """
    shapes = {name: part["shape"] for name, part in header_of(content).items() if name != "__metadata__"}
    if not all(isinstance(length, int) and length >= 0 for shape in shapes.values() for length in shape):
        raise ValueError("a shape is not made of lengths")
    return shapes
