"""Where the files of a bundle lie: in a folder, or together in one file."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from gsrec.bundle.manifest import CONTENTS, MANIFEST
from gsrec.errors import BundleError, DataError
from gsrec.files import replacing

SUFFIX = ".gsrec"
"""What the name of a bundle in one file ends with."""


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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}. Give a folder that can be written to.") from error
    try:
        for name in (*CONTENTS, MANIFEST):
            with replacing(new / name) as file:
                file.write_bytes(files[name])
        new.chmod(0o755)
        _put(new, path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}. What was there before is unchanged.") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _put(new: Path, path: Path) -> None:
    """Give a folder its name; one that has it already makes place first, and is then removed."""
    if not path.exists():
        os.replace(new, path)
        return
    unknown = sorted(place.name for place in path.iterdir() if place.name not in (*CONTENTS, MANIFEST))
    if unknown:
        raise DataError(f"{path} holds {unknown[0]}, which is no part of a bundle. Give another folder.")
    old = new.with_name(f"{new.name}.old")
    os.replace(path, old)
    os.replace(new, path)
    shutil.rmtree(old)


def read_files(path: Path) -> dict[str, bytes]:
    """The files of a bundle by name, as far as they are there; nothing but these names is ever opened.

    Raises:
        BundleError: if there is no bundle, or its one file is damaged.
    """
    try:
        if path.is_file():
            return _read_one(path)
        names = [name for name in CONTENTS if (path / name).is_file()]
        return {name: (path / name).read_bytes() for name in (MANIFEST, *names)}
    except OSError as error:
        raise BundleError(f"{path} holds no trained model: {MANIFEST} cannot be read ({error})") from error


def _read_one(path: Path) -> dict[str, bytes]:
    try:
        with safe_open(path, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in CONTENTS if name in opened.keys()}  # noqa: SIM118
            manifest = str((opened.metadata() or {})[MANIFEST]).encode()
    except (SafetensorError, KeyError, ValueError) as error:
        raise BundleError(f"{path} is no bundle, or a damaged one: {error}. Train or copy it again.") from error
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()} | {MANIFEST: manifest}


def facts_of(content: bytes) -> dict[str, list[int]]:
    """The shape of every tensor in the bytes of a safetensors file, from its header alone."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    return {name: part["shape"] for name, part in header.items() if name != "__metadata__"}
