"""What is saved of a trained model: weights, vocabulary, configuration, and which data it learned from.

A bundle is a folder of three files, safetensors and JSON only; nothing in it can run code when it is read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from gsrec.data.sequences import Sequences
from gsrec.data.vocabulary import Vocabulary
from gsrec.errors import BundleError, ConfigError, DataError
from gsrec.files import replacing, write_text
from gsrec.models import Model, ModelConfig, build_model
from gsrec.models.config import Description

MANIFEST, WEIGHTS, VOCABULARY = "manifest.json", "weights.safetensors", "vocabulary.json"
BUNDLE_FOLDER = "bundle"
"""Where the folder of a run has its bundle."""

FORMAT: Literal[1] = 1


class DataFacts(Description):
    """Which data a model learned from: its name, its SHA-256 fingerprint and its sizes."""

    name: str
    fingerprint: str
    num_users: int
    num_items: int
    num_interactions: int

    @classmethod
    def of(cls, sequences: Sequences) -> DataFacts:
        """The facts of these histories."""
        return cls(
            name=sequences.name,
            fingerprint=sequences.fingerprint,
            num_users=sequences.num_users,
            num_items=sequences.num_items,
            num_interactions=sequences.num_interactions,
        )


class Manifest(Description):
    """The table of contents of a bundle; `checksums` are SHA-256 by file name."""

    format: Literal[1] = FORMAT
    model: Annotated[ModelConfig, Field(discriminator="name")]
    data: DataFacts
    checksums: dict[str, str]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model that can be used: its weights, what its item indices stand for, and where it comes from."""

    model: Model
    config: ModelConfig
    vocabulary: Vocabulary
    data: DataFacts

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the weights: what a session's state belongs to."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write a bundle; the manifest comes last, so that a folder without one was never finished.

    Raises:
        DataError: if the disk does not take it.
    """
    if (folder / MANIFEST).exists():
        (folder / MANIFEST).unlink()
    with replacing(folder / WEIGHTS) as new:
        new.write_bytes(save({name: tensor.contiguous() for name, tensor in bundle.model.state_dict().items()}))
    write_text(folder / VOCABULARY, json.dumps(bundle.vocabulary.ids.to_list(), ensure_ascii=False))
    checksums = {name: _checksum(folder / name) for name in (WEIGHTS, VOCABULARY)}
    manifest = Manifest(model=bundle.config, data=bundle.data, checksums=checksums)
    write_text(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle that `save_bundle` wrote.

    Raises:
        BundleError: if it is missing, unfinished, damaged, or of a format this version does not know.
    """
    manifest = _read_manifest(folder / MANIFEST)
    for name in (WEIGHTS, VOCABULARY):
        if not (folder / name).is_file() or _checksum(folder / name) != manifest.checksums.get(name):
            raise BundleError(f"{folder / name} is missing or not the file that was saved. Train or copy it again.")
    try:
        vocabulary = Vocabulary.of(json.loads((folder / VOCABULARY).read_text(encoding="utf-8")))
        model = build_model(manifest.model, num_items=len(vocabulary))
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (ValueError, TypeError, RuntimeError, SafetensorError, ConfigError, DataError) as error:
        reason = " ".join(str(error).split("\n")[:2])  # torch names every weight, a line each
        raise BundleError(f"{folder} does not fit together: {reason}. Train or copy it again.") from error
    model.eval()
    return Bundle(model, manifest.model, vocabulary, manifest.data)


def _read_manifest(path: Path) -> Manifest:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{path.parent} holds no trained model: {path.name} cannot be read ({error})") from error
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise BundleError(
            f"{path} is damaged or of another version: {first_problem(error)}. This version knows format {FORMAT}."
        ) from error


def first_problem(error: ValidationError) -> str:
    """What is wrong first with the content of a file: where, and what."""
    problem = error.errors()[0]
    return ": ".join(part for part in (".".join(map(str, problem["loc"])), problem["msg"]) if part)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
